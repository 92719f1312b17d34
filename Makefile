# Domicile. `make` alone lists what there is to do.
# Go is enough for run; test installs what else it needs (scripts/setup).

SHELL       := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
export PATH := $(CURDIR)/.tools/bin:$(PATH):/usr/local/go/bin

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unreleased)
UP      ?=
# Packages tested at the same time. Two servers under load on two cores are enough.
P       ?= 2
FUZZ    ?= 1m
RUN     ?= .

.PHONY: help run build setup test soak bench screenshots lint fmt

help:
	@echo 'make run     build, then start ie1, us1 and au1 (arguments: UP="--demo")'
	@echo 'make test    install what is missing, vet, run every test'
	@echo 'make soak    the long tests: 50 rounds of kill -9 a store, the race detector, fuzzing (FUZZ=1m each)'
	@echo 'make bench   measure both stores, print a table, write .bench/latest.json'
	@echo 'make screenshots  images of the privacy centre, in .screenshots'
	@echo 'make lint    what a machine can say about the code'
	@echo 'make fmt     format it'

build:
	@go build -ldflags '-X main.version=$(VERSION)' -o bin/domicile ./cmd/domicile

run: build
	@exec bin/domicile up $(UP)

setup:
	@scripts/setup

test: setup
	go vet ./...
	go test -count=1 -p $(P) -timeout 24m -run '$(RUN)' ./...

soak: setup
	DOMICILE_SOAK=1 go test -count=1 -timeout 3h -v -run 'AckedIsDurable|ErasedIsGone|TwoNodes|StoreAway|ImportResumes|KilledDuringDeliveries' ./e2e
	go test -count=1 -race -p 1 -timeout 1h ./internal/...
	scripts/fuzz $(FUZZ)

bench: build
	@scripts/setup postgres
	@go run ./bench -binary bin/domicile

screenshots: setup
	@mkdir -p .screenshots
	DOMICILE_SCREENSHOTS=.screenshots go test -count=1 -run TestThePrivacyCentreIsLegible ./e2e

lint:
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [[ -n "$$files" ]]; then echo "not formatted (make fmt):" $$files; exit 1; fi
	go vet ./...
	go mod verify
	@for f in scripts/* .ci/run; do bash -n "$$f"; done
	go test -count=1 ./internal/arch

fmt:
	@gofmt -w $$(git ls-files -co --exclude-standard '*.go')
