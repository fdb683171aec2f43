# `make run` starts Plenary, `make test` runs every test. Both first install what they need.

CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.PHONY: help run test build bench bench-signalling bench-events bench-recovery test-busy quality interop package package-test soak fuzz web web-bench need need-test clean

help:
	@echo "make run    build Plenary and start it on 127.0.0.1 (console and web services 8080, SIP 5060), data in ./plenary-data"
	@echo "make test   run all tests: of the crates and of the pages, and end to end with SIPp, baresip, curl and PostgreSQL, and what people do with the pages in Chromium"
	@echo "make test-busy  run all tests five times beside a compile job on each core (two hours; RUNS=1 for one run)"
	@echo "make bench  measure calls and web services beside a raw packet reflector (ten minutes)"
	@echo "make bench-signalling  measure call set-ups a second, their delay, and memory over many calls (two minutes)"
	@echo "make bench-events  measure the event log with 10,000 events a second, and 1,000 followers, beside a conference (three minutes)"
	@echo "make bench-recovery  measure how voice recovers on 200 uneven networks, beside an implementation of NetEq (a minute after the first build)"
	@echo "make quality  look for keys in speech and music, where there are none, score speech through the bridge with PESQ, under loss and jitter, and speech in recordings, and check prompts and a whole dialogue by a recogniser (twelve minutes)"
	@echo "make interop  test with programs from Debian: SIPp, baresip (UDP, TCP, TLS, SRTP, DTLS, ICE, Opus, G.722), Linphone, Chromium (also with the npm package aculab-webrtc), Kamailio, Glewlwyd, sipsak, sipvicious, promtool, sngrep, VLC's library; goes through all pages"
	@echo "make package  build a release and the Debian package target/debian/plenary_*.deb"
	@echo "make package-test  install that package in a fresh Debian 12, start it there, open the console and make a call (needs root; two minutes)"
	@echo "make soak   callers join and leave for an hour over a bad network; clients and server are killed, and a recorder a hundred times (needs root; MINUTES=5 for a short run)"
	@echo "make fuzz   fuzz every parser for ten minutes (needs a nightly toolchain)"
	@echo "make web    build the pages of the console into web/dist, which the program takes in (WEB=0 leaves them out)"
	@echo "make web-bench  measure the pages in Chromium, slowed four times: a room of 350 calls, and the start of join page and console over a slow network (two minutes after the build)"
	@echo "make build  build the pages and target/release/plenary"

need:
	@./scripts/need build

need-test:
	@./scripts/need build test

web: need
	@./scripts/web

web-bench: build
	@./scripts/need interop
	@PLENARY=$(CURDIR)/target/release/plenary ./scripts/web bench

build: need web
	$(CARGO) build --release --locked --package plenary

run: build
	./target/release/plenary serve --demo-account

test: need-test
	@./scripts/test

test-busy: need-test
	@./scripts/busy $(or $(RUNS),5)

bench: build
	@./scripts/need bench
	@./bench/run

bench-signalling: build
	@./scripts/need test
	@./bench/signalling

bench-events: build
	@./bench/events

bench-recovery: need
	@./scripts/need quality
	@./bench/recovery/run $(ARGUMENTS)

quality: build
	@./scripts/need quality
	@./bench/talk-off
	@./bench/quality
	@./bench/recording speech
	@./bench/prompts
	@./bench/dialogue
	@./bench/transcript

interop: need web
	@./scripts/need interop
	@$(CARGO) test --locked --package plenary --features plenary/e2e,plenary/interop --test interop --test interop_sign_in --test monitoring --test players --test browser --test client --test examples --test e2e_phones --test e2e_security --test e2e_sipp --test e2e_focus
	@./scripts/web tour

package: need
	@./scripts/package

package-test: need
	@./scripts/package test

soak: build
	@./scripts/need soak
	@./scripts/soak --minutes $(or $(MINUTES),60)
	@PLENARY_TEST_KILLS=100 $(CARGO) test --locked --package plenary-recording --test kills

fuzz:
	@./scripts/fuzz

clean:
	$(CARGO) clean
