"""A real S3 server for the tests of this folder: versitygw, or what S3_TEST_SERVER names (minio)."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from harness import ROOT

PEER = ROOT / "tools" / "peers" / "s3-peer"
SERVER = os.environ.get("S3_TEST_SERVER", "versitygw")
HOME = ROOT / ".peers" / "s3"


class S3Server:
    """One server with its own data; start, kill9, freeze and stop it as often as needed."""

    def __init__(self, directory, instance):
        self.env = {
            **os.environ,
            "S3_PEER_HOME": str(HOME),
            "S3_PEER_INSTANCE": instance,
            "S3_PEER_DATA": str(directory / "s3"),
        }
        self.settings = {}

    def peer(self, *arguments):
        done = subprocess.run([PEER, *arguments, SERVER], env=self.env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        for line in self.peer("start").splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            self.settings[name] = value.strip("'")
        return self

    def bucket(self, name):
        self.peer("bucket", name)
        return name

    def stop(self):
        self.peer("stop")

    def kill9(self):
        self.peer("kill9")

    @contextlib.contextmanager
    def frozen(self, seconds):
        """Connections stay, nothing answers."""
        pid = int(self.settings["S3_PEER_PID"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    @property
    def endpoint(self):
        return self.settings["S3_ENDPOINT"]

    @property
    def credentials(self):
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return {**{name: self.settings[name] for name in names}, "AWS_EC2_METADATA_DISABLED": "true"}

    def url(self, bucket, prefix="", **options):
        options = {"endpoint": self.endpoint, "region": self.settings["AWS_REGION"], **options}
        return f"s3://{bucket}/{prefix}?" + "&".join(f"{name}={value}" for name, value in options.items())

    def files(self, bucket):
        """Path below the bucket -> size; versitygw keeps each object as a file."""
        root = self.env["S3_PEER_DATA"] + f"/root/{bucket}"
        found = {}
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    found[os.path.relpath(path, root)] = os.path.getsize(path)
        return found


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    assert (HOME / "bin" / SERVER).exists(), f"{SERVER} is missing: `tools/setup test` installs versitygw, `make test-minio` MinIO"
    directory = tmp_path_factory.mktemp("s3")
    server = S3Server(directory, f"test-{os.getpid()}-{directory.name}").start()
    yield server
    server.kill9()
    server.peer("wipe")


@pytest.fixture
def s3_millrace(s3, make_millrace):
    """A factory: s3_millrace(url) is a broker on that bucket."""

    def make(url, *arguments, **options):
        return make_millrace("--roles", "broker", *arguments, bucket=url, env=s3.credentials, **options)

    return make
