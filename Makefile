# The commands of this project; `make help` lists them. Everything that is built lies in build/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PRESET ?= release
JOBS ?= $(shell nproc)
SOURCES = $(shell git ls-files 'src/*' 'tests/*' 'bench/*' 'fuzz/*' | grep -E '\.(h|cc|cu|cuh)$$')
export PRESET JOBS

.PHONY: help setup build cuda demo test test-all bench bench-techniques tune fuzz format check clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup:  ## install what is missing from Debian's packages
	tools/setup.sh

build:  ## the program, build/keel
	@tools/setup.sh build
	cmake --preset release
	cmake --build build/release --target keel -j $(JOBS)

cuda:  ## the program with CUDA, build/keel-cuda (needs nvcc)
	@tools/setup.sh build test
	cmake --preset cuda
	cmake --build build/cuda --target keel test_cuda -j $(JOBS)
	build/cuda/test_cuda

demo: build  ## train a small transformer on the King James Bible, find three frontiers; ends with the report
	@tools/setup.sh demo
	@tools/demo.sh

test:  ## prove that the numbers are right (PRESET=dev, asan or tsan for another build)
	@tools/setup.sh build test
	tools/run_tests.sh

test-all:  ## also what takes long or needs PyTorch and TensorBoard
	@tools/setup.sh build test
	tools/run_tests.sh --all

bench: build  ## speed beside PyTorch and beside the floors of this machine
	@tools/setup.sh bench
	tools/bench.sh

bench-techniques: build  ## what each technique costs beside the step without it (ARGS="--only norm --rounds 3")
	python3 tools/bench_techniques.py build/keel $(ARGS)

tune: build  ## measure the choices of GEMM form and write the committed table
	tools/tune.sh

fuzz:  ## libFuzzer with sanitizers on the readers of files, FUZZ_SECONDS=600 each (needs clang)
	@tools/setup.sh build
	tools/fuzz.sh $(ARGS)

format:  ## lay out the sources
	@tools/setup.sh check
	clang-format-14 -i $(SOURCES)

check:  ## static checks: layout, includes, sizes, headers, clang-tidy
	@tools/setup.sh build test check
	tools/check.sh

clean:  ## remove everything that was built
	rm -rf build
