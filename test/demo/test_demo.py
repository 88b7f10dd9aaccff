"""`millrace demo` as a user runs it: the checklist, the views over MySQL, a changed row, the page in a real browser."""

import json
import re
import signal
import subprocess

import psycopg2
import pymysql
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from harness import MILLRACE, ROOT, WAL, reachable_directory, wait_until

pytestmark = pytest.mark.skipif(WAL != "bucket", reason="`millrace demo` has no --wal: it keeps its records in the bucket")
VIEWS = ("revenue_by_day", "upcoming_bookings", "staff_ranking", "payment_log")


@pytest.fixture(scope="module")
def demo():
    with reachable_directory() as directory:
        ready = directory / "ready.json"
        output = open(directory / "output", "w+b")
        child = subprocess.Popen(
            [MILLRACE, "demo", "--dir", directory / "demo", "--rows", "60000", "--rate", "50"]
            + ["--kafka-listen", "127.0.0.1:0", "--mysql-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
            + ["--ready-file", ready],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

        def text():
            output.flush()
            return (directory / "output").read_text(errors="replace")

        def is_ready():
            assert child.poll() is None, text()
            return ready.exists()

        try:
            wait_until(is_ready, 120, "the demo to be live")
        except BaseException:
            child.kill()
            print(text())
            raise
        addresses = json.loads(ready.read_text())
        wait_until(lambda: "Watch:" in text(), 10, "the instructions")
        pg_port = int(re.search(r"psql -h 127.0.0.1 -p (\d+)", text()).group(1))
        yield {"addresses": addresses, "postgres": pg_port, "text": text(), "child": child}
        child.send_signal(signal.SIGINT)
        assert child.wait(30) == 0, text()
        assert "stopped in" in text()


def mysql(demo):
    host, port = demo["addresses"]["mysql"].split(":")
    return pymysql.connect(host=host, port=int(port), user="root", database="salon", autocommit=True)


def test_the_checklist_has_a_tick_for_every_part(demo):
    for part in ("postgres", "salon", "bucket", "log", "sql", "captured", "views", "load"):
        assert re.search(rf"\u2713 {part}\b", demo["text"]), demo["text"]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_answers_over_mysql(demo, view):
    with mysql(demo) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {view} LIMIT 5")
        assert cursor.rowcount == 5


def test_a_row_changed_in_postgres_is_seen_in_sql(demo):
    with mysql(demo) as connection, connection.cursor() as cursor:
        postgres = psycopg2.connect(host="127.0.0.1", port=demo["postgres"], user="postgres", dbname="salon")
        with postgres, postgres.cursor() as source:
            source.execute("UPDATE customers SET name = 'Changed by hand' WHERE id = 1")
        postgres.close()

        def seen():
            cursor.execute("SELECT name FROM customers WHERE id = 1")
            return cursor.fetchone() == ("Changed by hand",)

        wait_until(seen, 10, "the change to be visible")


def test_the_page_lives_in_a_browser(demo):
    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1400,1400",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.binary_location = "/usr/bin/chromium"
    browser = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        browser.get(f"http://{demo['addresses']['http']}/")
        wait_until(lambda: browser.find_element(By.ID, "state").text == "live", 15, "the page to be live")
        for view in VIEWS:
            wait_until(lambda: len(browser.find_elements(By.CSS_SELECTOR, f"#view-{view} tr")) > 1, 15, f"rows of {view}")
        wait_until(lambda: browser.find_element(By.ID, "captured-rate").text != "0", 15, "captured rows a second")
        wait_until(lambda: re.fullmatch(r"[\d,]+", browser.find_element(By.ID, "freshness").text), 15, "the freshness")
        assert int(browser.find_element(By.ID, "objects").text.replace(",", "")) >= 0
        wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "td.changed"), 20, "a cell of a view to change")
        box = browser.find_element(By.ID, "sql")
        box.clear()
        box.send_keys("SELECT count(*) AS n FROM salon.customers")
        browser.find_element(By.CSS_SELECTOR, "#sql-form button").click()
        wait_until(lambda: "n" in browser.find_element(By.ID, "sql-result").text, 10, "the result of the SQL box")
        assert int(browser.find_element(By.CSS_SELECTOR, "#sql-result td").text) > 1000
        box.clear()
        box.send_keys("SELECT nonsense FROM nowhere")
        browser.find_element(By.CSS_SELECTOR, "#sql-form button").click()
        wait_until(lambda: "nowhere" in browser.find_element(By.ID, "sql-error").text, 10, "the error of the SQL box")
        severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE" and "400" not in entry["message"]]
        assert not severe, severe
        browser.save_screenshot(str(ROOT / "build" / "page.png"))
    finally:
        browser.quit()
