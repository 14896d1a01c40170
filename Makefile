# make book    build the book               make test       check everything
# make serve   read it in a browser         make notebooks  run the chapters again, in place
# make lab     work in JupyterLab           make pins       renew requirements.txt
# make clean   remove what was built        make mutants    do the tests bite?
# make exercises  write the chapters without solutions, for teachers
# make trials  try every verdict beyond its chapter's setting
# make study    which learning-rate finder can be believed?
# make parity   are the schedules those of other frameworks, asked live?
# make bench    how fast is a sweep?
# make links   ask whether other sites' pages are still there
# make pdf     print the book as one PDF
# make lighthouse  ask Lighthouse what it thinks of the site
# make browser  get a browser, which `make test` needs

VENV ?= .venv
PY := $(VENV)/bin/python
PARITY := .venv-parity
PORT ?= 8000

# The first of these that is a Python that the pins are for; PYTHON=… chooses another.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c '$(FITS)' 2>/dev/null && echo $(p))))

.PHONY: book pdf lighthouse serve lab test test-other-processor browser mutants trials trials-check study parity parity-record bench bench-record links notebooks exercises pins clean

book: $(VENV)/installed
	@$(PY) tools/book.py

pdf: book
	@$(PY) tools/pdf.py

lighthouse: book
	@$(PY) tools/lighthouse.py

serve: book
	@echo "The book is at http://localhost:$(PORT) until you press Ctrl-C."
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lab: $(VENV)/installed
	JUPYTER_PREFER_ENV_PATH=1 $(PY) -m jupyterlab --config=tools/lab.py --notebook-dir=.

test: $(VENV)/installed
	@$(PY) tools/check.py

test-other-processor: $(VENV)/installed
	@$(PY) tools/check.py other-processor

browser: $(VENV)/installed
	@$(PY) tools/chromium.py

mutants: $(VENV)/installed
	@$(PY) tools/mutants.py

trials: $(VENV)/installed
	@$(PY) -m trials

trials-check: $(VENV)/installed
	@$(PY) -m trials --check

study: $(VENV)/installed
	@$(PY) -m study

parity: $(PARITY)/installed
	@$(PARITY)/bin/python -m pytest --confcutdir=tests/parity tests/parity

parity-record: $(PARITY)/installed
	@PYTHONPATH=.:tests $(PARITY)/bin/python -m parity.record

bench: $(VENV)/installed
	@$(PY) tools/bench.py

bench-record: $(VENV)/installed
	@$(PY) tools/bench.py --record

links: $(VENV)/installed
	JUPYTER_PREFER_ENV_PATH=1 $(VENV)/bin/jupyter-book build . --builder linkcheck

notebooks: $(VENV)/installed
	@$(PY) tools/notebooks.py

exercises: $(VENV)/installed
	@$(PY) tools/exercises.py

pins: $(VENV)/installed
	@$(PY) -m pip install --quiet uv
	$(PY) -m uv pip compile requirements.in --output-file requirements.txt --upgrade --quiet --no-header --no-annotate \
		--universal --python-version 3.11 --fork-strategy fewest

clean:
	rm -rf _build build *.egg-info

# One environment for all of it; installed again only when the pins change.
$(VENV)/installed: requirements.txt
	@$(or $(PYTHON),python3) -c '$(FITS)' || { echo "The book needs Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check --quiet --requirement requirements.txt
	@touch $@

# The other frameworks, in an environment of their own.
$(PARITY)/installed: requirements-parity.txt
	$(PYTHON) -m venv $(PARITY)
	$(PARITY)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --requirement requirements-parity.txt
	@touch $@
