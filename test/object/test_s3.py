"""The broker on a real S3 server: records survive kill -9 of either, and what is wrong is said once and clearly."""

import hashlib
import os
import random
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import MILLRACE, free_port


SERVER = os.environ.get("S3_TEST_SERVER", "versitygw")


def run(*arguments, env=None, timeout=60):
    return subprocess.run([MILLRACE, *arguments], capture_output=True, text=True, timeout=timeout, env={**os.environ, **(env or {})})


def kcat(broker, *arguments, input=None, timeout_s=90):
    done = subprocess.run(
        ["kcat", "-b", broker.kafka, *arguments], input=input, capture_output=True, timeout=timeout_s
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def produce(broker, topic, lines):
    text = "".join(f"{line}\n" for line in lines).encode()
    kcat(broker, "-P", "-t", topic, "-X", "enable.idempotence=true", "-X", "acks=all", input=text)


def consume(broker, topic):
    return kcat(broker, "-C", "-t", topic, "-e", "-q").decode().splitlines()


def test_the_probe_finds_every_promise_kept(s3):
    result = run("bucket", "probe", s3.url(s3.bucket("probed"), "a/b"), "--rounds", "20", env=s3.credentials)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "FAIL" not in result.stdout
    assert result.stdout.count(" ok ") >= 10
    assert "PUT " in result.stdout
    assert not [path for path in s3.files("probed") if "probe" in path], "the probe leaves objects behind"


@pytest.mark.parametrize("url", ["mem:", "file://{}/bucket?sync=off"])
def test_the_probe_takes_other_buckets_too(url, tmp_path):
    result = run("bucket", "probe", url.format(tmp_path), "--rounds", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count(" ok ") >= 10 and "FAIL" not in result.stdout


def test_virtual_host_style_works_too(s3):
    port = s3.endpoint.rpartition(":")[2]
    url = s3.url(s3.bucket("virtual"), endpoint=f"http://s3.localhost:{port}", path_style="false")
    result = run("bucket", "probe", url, "--rounds", "2", env=s3.credentials)
    assert result.returncode == 0, result.stdout + result.stderr


def test_unsigned_payloads_and_profiles_work(s3, tmp_path):
    keys = s3.credentials
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[test]\naws_access_key_id = {keys['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {keys['AWS_SECRET_ACCESS_KEY']}\n"
    )
    env = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    url = s3.url(s3.bucket("profiled"), profile="test", sign_payload="false")
    result = run("bucket", "probe", url, "--rounds", "2", env=env)
    assert result.returncode == 0, result.stdout + result.stderr


def test_records_survive_kill_9_of_the_broker(s3, s3_millrace):
    server = s3_millrace(s3.url(s3.bucket("kill9"), "cluster/one"))
    lines = []
    for round_ in range(5):
        more = [f"{round_}-{i}" for i in range(2000)]
        produce(server, "t", more)
        lines += more
        server.restart(hard=True)
        assert consume(server, "t") == lines
    assert server.stop() == 0
    paths = s3.files("kill9")
    assert paths and all(path.startswith("cluster/one/") for path in paths)


def test_records_survive_kill_9_of_the_store(s3, s3_millrace):
    server = s3_millrace(s3.url(s3.bucket("store9"), timeout_ms=2000))
    produce(server, "t", ["before"])
    s3.kill9()
    late = threading.Thread(target=produce, args=(server, "t", [f"during {i}" for i in range(500)]))
    late.start()
    time.sleep(2)
    s3.start()
    late.join(60)
    assert not late.is_alive()
    assert consume(server, "t") == ["before"] + [f"during {i}" for i in range(500)]
    assert server.stop() == 0, server.log()[-4000:]


def test_a_store_that_hangs_loses_and_repeats_nothing(s3, s3_millrace):
    server = s3_millrace(s3.url(s3.bucket("frozen"), timeout_ms=1000))
    produce(server, "t", ["before"])
    with s3.frozen(5):
        late = threading.Thread(target=produce, args=(server, "t", [f"during {i}" for i in range(500)]))
        late.start()
    late.join(60)
    assert not late.is_alive()
    server.restart(hard=True)
    assert consume(server, "t") == ["before"] + [f"during {i}" for i in range(500)]


def test_two_clusters_share_a_bucket_by_prefix(s3, s3_millrace):
    bucket = s3.bucket("shared")
    one, two = s3_millrace(s3.url(bucket, "one")), s3_millrace(s3.url(bucket, "two"))
    produce(one, "t", ["one"])
    produce(two, "t", ["two"])
    assert consume(one, "t") == ["one"]
    assert consume(two, "t") == ["two"]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("signed", ["true", "false"])
def test_large_data_objects_go_up_in_parts(s3, s3_millrace, tmp_path, signed):
    """90 MB of noise become one data object above the 64 MiB from which on parts are used."""
    bucket = s3.bucket(f"large-{signed}")
    server = s3_millrace(
        s3.url(bucket, sign_payload=signed),
        *("--set", "object.bytes=80000000", "--set", "message.max.bytes=2000000", "--set", "object.interval.ms=600000"),
    )
    noise = random.Random(7)
    digest = hashlib.sha256()
    source = tmp_path / "noise"
    with source.open("wb") as out:
        for _ in range(100):
            record = noise.randbytes(450_000).hex().encode()
            digest.update(record)
            out.write(record + b"\n")
    kcat(server, "-P", "-t", "t", "-X", "message.max.bytes=2000000", "-l", str(source), timeout_s=120)
    deadline = time.monotonic() + 60
    # MinIO keeps the parts of an object apart.
    least = (64 << 20) if SERVER == "versitygw" else (15 << 20)
    while not any("obj/" in path and size > least for path, size in s3.files(bucket).items()):
        assert time.monotonic() < deadline, sorted(s3.files(bucket).items(), key=lambda p: -p[1])[:20]
        time.sleep(0.2)
    server.restart(hard=True)
    back = kcat(server, "-C", "-t", "t", "-e", "-q", timeout_s=120)
    assert hashlib.sha256(back.replace(b"\n", b"")).digest() == digest.digest()


# ---------------------------------------------------------------------------------------------- faults


class Proxy:
    """Accepts on `listener`; each connection has a thread of its own in `serve(client)`."""

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()


class UnkindProxy(Proxy):
    """Between broker and store: connections that end before a request arrives or before its answer does, slow answers,
    and 503 for requests that were passed on or not. Seeded; off until `unkind` is set."""

    def __init__(self, target, seed):
        self.target = ("127.0.0.1", target)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.random = random.Random(seed)
        self.unkind = False
        self.done = {"request lost": 0, "answer lost": 0, "slow": 0, "busy": 0, "busy though done": 0}
        threading.Thread(target=self.accept, daemon=True).start()

    def serve(self, client):
        """One request at a time, as the broker's client sends them; a fault ends the connection."""
        server = socket.socket()
        try:
            server.connect(self.target)
            while request := self.message(client):
                fault = self.random.choice(list(self.done)) if self.unkind and self.random.random() < 0.15 else None
                if fault:
                    self.done[fault] += 1
                if fault not in ("request lost", "busy"):
                    server.sendall(request)
                    answer = self.message(server, no_body=request.startswith(b"HEAD"))
                if fault == "slow":
                    time.sleep(0.5)
                if fault in ("busy", "busy though done"):
                    client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                if fault in (None, "slow"):
                    client.sendall(answer)
                else:
                    break
        except OSError:
            pass
        for end in (client, server):
            end.close()

    @staticmethod
    def message(stream, no_body=False):
        """A request or answer with Content-Length or without a body; empty at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := stream.recv(1 << 20)):
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            assert not line.startswith(b"transfer-encoding"), "the proxy knows lengths only"
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        chunks, missing = [data], 0 if no_body or b" 304 " in head.split(b"\r\n")[0] else length - len(body)
        while missing > 0:
            if not (more := stream.recv(min(missing, 1 << 20))):
                return b""
            chunks.append(more)
            missing -= len(more)
        return b"".join(chunks)


def test_a_store_that_fails_one_request_in_seven_loses_and_repeats_nothing(s3, s3_millrace):
    proxy = UnkindProxy(int(s3.endpoint.rpartition(":")[2]), seed=7)
    server = s3_millrace(s3.url(s3.bucket("unkind"), endpoint=f"http://127.0.0.1:{proxy.port}", timeout_ms=2000))
    proxy.unkind = True
    lines = []
    for round_ in range(10):
        more = [f"{round_}-{i}" for i in range(300)]
        produce(server, "t", more)
        lines += more
        if round_ == 5:
            server.restart(hard=True, timeout_s=60)
    assert consume(server, "t") == lines
    proxy.unkind = False
    server.restart(hard=True)
    assert consume(server, "t") == lines
    assert all(proxy.done.values()), proxy.done


# ------------------------------------------------------------------------------------------------ TLS


class TlsProxy(Proxy):
    """Ends TLS before the plain server; the certificate is its own authority."""

    def __init__(self, directory, target):
        self.certificate, self.key = make_certificate(directory)
        self.target = ("127.0.0.1", target)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        plain = socket.create_server(("127.0.0.1", 0))
        self.port = plain.getsockname()[1]
        self.listener = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.accept, daemon=True).start()

    def serve(self, client):
        try:
            client.do_handshake()
            server = socket.create_connection(self.target)
        except OSError:
            return client.close()
        threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
        self.copy(client, server)

    @staticmethod
    def copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def make_certificate(directory):
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = directory / "certificate.pem", directory / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return files


def test_tls_with_an_authority_of_ones_own(s3, s3_millrace, tmp_path):
    proxy = TlsProxy(tmp_path, int(s3.endpoint.rpartition(":")[2]))
    try:
        bucket = s3.bucket("tls")
        strict = run("bucket", "probe", s3.url(bucket, endpoint=f"https://127.0.0.1:{proxy.port}"), env=s3.credentials)
        assert strict.returncode == 1
        assert "certificate" in strict.stderr and "ca_file" in strict.stderr
        url = s3.url(bucket, endpoint=f"https://127.0.0.1:{proxy.port}", ca_file=proxy.certificate)
        server = s3_millrace(url)
        lines = [f"secret {i}" for i in range(1000)]
        produce(server, "t", lines)
        server.restart(hard=True)
        assert consume(server, "t") == lines
    finally:
        proxy.close()


# ------------------------------------------------------------------------------------- what can be wrong


def refused(url, env, *told):
    """Both verbs end with a code and one message that says what is wrong."""
    start = ["start", "--roles", "broker", "--bucket", url, "--kafka-listen", ":0", "--http-listen", ":0"]
    for arguments in (["bucket", "probe", url], start):
        result = run(*arguments, env={"AWS_EC2_METADATA_DISABLED": "true", **env}, timeout=60)
        assert result.returncode in (1, 2), result
        errors = [line for line in result.stderr.splitlines() if line.startswith("millrace: ")]
        assert len(errors) == 1, result.stderr
        for part in told:
            assert part in errors[0], errors[0]


def test_wrong_secret(s3):
    refused(s3.url(s3.bucket("wrong")), {**s3.credentials, "AWS_SECRET_ACCESS_KEY": "other"}, "403", "AWS_SECRET_ACCESS_KEY")


def test_unknown_key(s3):
    refused(s3.url(s3.bucket("wrong")), {**s3.credentials, "AWS_ACCESS_KEY_ID": "nobody"}, "AWS_ACCESS_KEY_ID")


def test_no_credentials(s3, tmp_path):
    env = {"HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    refused(s3.url(s3.bucket("wrong")), env, "no S3 credentials", "AWS_ACCESS_KEY_ID")


def test_missing_bucket(s3):
    refused(s3.url("not-there"), s3.credentials, "NoSuchBucket", "create the bucket 'not-there'")


def test_unreachable_endpoint(s3):
    port = free_port()
    refused(s3.url("bucket", endpoint=f"http://127.0.0.1:{port}"), s3.credentials, f"127.0.0.1:{port}", "refused")


def test_no_s3_server(s3, make_millrace):
    """Another HTTP server is not taken for an empty bucket."""
    other = make_millrace("--roles", "broker", name="other")
    refused(s3.url("bucket", endpoint=other.http), s3.credentials, "S3")


def test_wrong_urls(s3):
    refused("s3://b", {}, "bucket name")
    refused("s3://bucket?reegion=x", {}, "reegion", "region")
    refused(s3.url("bucket", endpoint="localhost"), {}, "http://")
