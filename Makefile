# The front door. `make help` lists what there is; `make demo` and `make test` need nothing but a bare Debian 12.
# Times are those of a machine with 2 cores.
JOBS ?= $(shell nproc)
SEEDS ?= 1000
SECONDS_EACH ?= 30
# Sources of a room are compiled some at a time: half the time of a first build. UNITY=OFF (and a fresh build folder)
# compiles them one by one, for those who edit.
UNITY ?= ON
NINJA = CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) cmake --build
SETUP = ./tools/setup

.PHONY: help build demo test unit integration check fmt fmt-check tidy clang-tidy fuzz setup clean \
        sim sim-run sim-scenarios sim-mutants spec soak bench bench-quick bench-cluster \
        test-cluster test-debezium test-disk test-minio s3-server
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

build:  ## build/release/millrace, installing what is missing (first time 10-15 min, then seconds)
	@$(SETUP) build
	@$(MAKE) --no-print-directory build/release/build.ninja
	@$(NINJA) build/release --target millrace

demo: build  ## build and run the demo: Postgres to log to SQL, live in the browser (ARGS=... goes to `millrace demo`)
	@$(SETUP) demo
	@exec build/release/millrace demo $(ARGS)

test:  ## everything: rules, unit tests, decoders, simulation, real clients and servers (20 min after the build)
	@$(SETUP) build demo test
	@$(MAKE) --no-print-directory build/release/build.ninja build/test/build.ninja
	@$(NINJA) build/release --target millrace sim_run
	@$(NINJA) build/test
	@./tools/test

unit:  ## unit tests alone, under ASan and UBSan (1 min after the build)
	@$(SETUP) build test
	@$(MAKE) --no-print-directory build/test/build.ninja
	@$(NINJA) build/test
	@./tools/test unit

integration: build  ## tests with real clients and servers alone (5 min after the build)
	@$(SETUP) demo test
	@./tools/test integration

check:  ## what a change must pass: unit tests, tidy, format, clang-tidy on changed files, 60 s of seeds (5 min)
	@./check

fmt:  ## format all C++ files
	@$(SETUP) dev
	@git ls-files -co --exclude-standard '*.cc' '*.h' '*.c' | xargs clang-format-19 -i

fmt-check:
	@files="$$(git ls-files -co --exclude-standard '*.cc' '*.h' '*.c' | xargs clang-format-19 --dry-run 2>&1 | \
	  sed -nE 's/^([^: ]+\.(cc|h|c)):[0-9]+:.*/\1/p' | sort -u)"; \
	[ -z "$$files" ] || { echo "not formatted (make fmt does it):"; echo "$$files"; exit 1; }

tidy:  ## the house rules: room graph, banned calls, sizes, links (2 s)
	@python3 tools/tidy.py

clang-tidy:  ## clang-tidy on all files (30 min); ./check does the changed ones
	@$(SETUP) build dev
	@./tools/clang-tidy --all

fuzz:  ## every decoder with libFuzzer, SECONDS_EACH=30 (build 5 min, then 30 s for each target)
	@$(SETUP) build dev
	@$(MAKE) --no-print-directory build/fuzz/build.ninja
	@./tools/fuzz $(SECONDS_EACH) $(TARGETS)

sim-run:
	@$(SETUP) build
	@$(MAKE) --no-print-directory build/release/build.ninja
	@$(NINJA) build/release --target sim_run

sim: sim-run  ## the simulation, SEEDS=1000 of them, twice each (2 min for 1000 after the build)
	@build/release/sim_run --seeds $(SEEDS)

sim-scenarios: sim-run  ## the simulation's scripted stories, SEEDS=1000 of each
	@build/release/sim_run --scenario all --seeds $(SEEDS)

sim-mutants: sim-run  ## broken variants of the protocol: each must be caught within a stated number of seeds (2 min)
	@build/release/sim_run --mutants

bench: build  ## beside Apache Kafka, raw S3, Debezium and Postgres on this machine (2 h; parts: bench/run --help)
	@$(SETUP) demo test
	@.venv/bin/python -B bench/run $(ARGS)

bench-quick: build  ## the same with short runs, to see that it works
	@$(SETUP) demo test
	@.venv/bin/python -B bench/run --quick $(ARGS)

bench-cluster: build  ## three brokers: how long partitions are away after a kill and around a move (1 min)
	@$(SETUP) demo test
	@.venv/bin/python -B bench/cluster.py $(ARGS)

test-debezium: build  ## capture alone: errors, kills, and its events beside Debezium's own, field by field (5 min)
	@$(SETUP) demo test
	@.venv/bin/python -m pytest -q test/cdc

# These have both WALs in themselves, or start no broker.
NOT_ON_DISK = disk object/test_failover.py cdc/test_compare_debezium.py kafka_schema_test.py
test-disk: build  ## the tests of broker, path, cdc, node and object on a disk WAL (14 min)
	@$(SETUP) demo test
	@$(MAKE) --no-print-directory build/test/build.ninja
	@$(NINJA) build/test --target client_test
	@WAL_UNDER_TEST=disk PATH=$(CURDIR)/.venv/bin:$(CURDIR)/.deps/node/bin:$$PATH .venv/bin/python -B -m pytest -q -rs \
	  -m "long or not long" test $(addprefix --ignore=test/,$(NOT_ON_DISK))

test-minio: build  ## the tests with S3 against MinIO instead of versitygw (2 min after MinIO's build, which takes 3)
	@$(SETUP) demo test minio
	@S3_TEST_SERVER=minio .venv/bin/python -m pytest -q test/object

test-cluster: build  ## three brokers on one S3 bucket: kills, pauses, a store out of reach, cold starts, under load (3 min)
	@$(SETUP) demo test
	@.venv/bin/python -m pytest -q -m "long or not long" test/object/test_failover.py test/object/test_brokers.py

s3-server:  ## installs and starts an S3 server on loopback, with a bucket; prints settings: eval "$(make -s s3-server)"
	@$(SETUP) test >&2
	@./tools/peers/s3-peer start versitygw
	@./tools/peers/s3-peer bucket millrace >&2
	@eval "$$(./tools/peers/s3-peer env versitygw)"; \
	echo "export BUCKET='s3://millrace/logs?region='$$AWS_REGION'&endpoint='$$S3_ENDPOINT"

soak: build  ## kill -9 of everything under load, ROUNDS=200 times (about 1 s each)
	@$(SETUP) demo test
	@KILLS=$${ROUNDS:-200} .venv/bin/python -m pytest -q -s test/path/test_whole_path.py test/broker/test_kill9.py -k kill

spec:  ## the protocol's models with TLC: all mutants and the small base configurations (10 min; CONFIG=name: one; ALL=1: 25 min)
	@$(SETUP) spec
	@./tools/spec $(CONFIG) $(if $(ALL),--all)

setup:  ## all that the other targets would install
	@$(SETUP) build demo test dev

clean:  ## the builds, not what was installed
	rm -rf build

build/%/build.ninja:
	@cmake --preset $* -DCMAKE_UNITY_BUILD=$(UNITY) -DCMAKE_UNITY_BUILD_BATCH_SIZE=10 -Wno-dev >build-$*.log 2>&1 || { cat build-$*.log; rm -f build-$*.log; exit 1; }
	@rm -f build-$*.log
