"""Find the browser that the site is tried in and the PDF is printed with; run as a program (`make browser`), get one.

Any Chromium or Chrome will do: the one that the variable CHROMIUM names, one on the PATH, a Mac's, or Playwright's own.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"  # Chromium without its windows: a page costs a tenth less
NAMES = SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CACHES = ".cache", "Library/Caches", "AppData/Local"  # where Playwright keeps its own, on Linux, Mac and Windows
# Chromium opens a window of its own for each session, and with it two pages for its field of addresses, which nobody
# sees here, and a process for whatever comes next; a page of ours costs less than they do. Only the last such list
# counts, so this one has what Playwright switches off too.
OFF = """
    WebUIOmniboxPopup WebUIOmniboxAimPopup SpareRendererForSitePerProcess
    AimEnabled AvoidCorsURLLoaderRestartOnRedirect AvoidUnnecessaryBeforeUnloadCheckSync DestroyProfileOnBrowserClose
    HttpsFirstBalancedModeAutoEnable HttpsUpgrades LensOverlay MediaRouter NetworkTimeServiceQuerying OptimizationHints
    PaintHolding PreconnectToSearch ThirdPartyStoragePartitioning
"""
FLAGS = [f"--disable-features={','.join(OFF.split())}"]
NONE = "No Chromium or Chrome was found, and the site is tried in one: run `make browser`."


def found_browser():
    """The path of a Chromium, or None."""
    if named := os.environ.get("CHROMIUM"):
        return named if Path(named).is_file() else None
    own = (Path.home() / cache / "ms-playwright" for cache in CACHES)
    owns = (path for folder in own for path in folder.glob("chromium-*/chrome-*/chrome*") if path.stem == "chrome")
    return next((str(path) for path in (*map(shutil.which, NAMES), MAC, *owns) if path and Path(path).is_file()), None)


def found_chinese():
    """Whether there is a font for the Chinese page; systems other than Linux bring one."""
    if not shutil.which("fc-list"):
        return sys.platform != "linux"
    return bool(subprocess.check_output(["fc-list", ":lang=zh"]))


def run(*command):
    print("+", *command, flush=True)
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"This failed: {' '.join(command)}")


def as_root(*command):
    """Run a command with the rights that it needs, or say which command that is."""
    if os.geteuid() != 0 and not shutil.which("sudo"):
        sys.exit(f"Please run this as root: {' '.join(command)}")
    run(*([] if os.geteuid() == 0 else ["sudo"]), *command)


def packaged(name):
    """Whether this system has a package of this name."""
    return subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0


def get(browser, fonts):
    """Get what is not there. Ubuntu's Chromium is a snap, which containers lack, so there Playwright brings its own."""
    system = platform.freedesktop_os_release() if sys.platform == "linux" else {}
    family = {system.get("ID"), *system.get("ID_LIKE", "").split()}
    if not family & {"debian", "ubuntu"}:
        sys.exit(
            "Please install Google Chrome or Chromium, and a font for Chinese, or name a browser in the variable "
            f"CHROMIUM, or let Playwright get one: {sys.executable} -m playwright install chromium"
        )
    from_a_package = not browser and "ubuntu" not in family
    if from_a_package or not fonts:
        as_root("apt-get", "update", "-qq")
        packages = [] if fonts else ["fontconfig", "fonts-noto-cjk"]
        packages += [SHELL if packaged(SHELL) else "chromium"] if from_a_package else []
        as_root("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    if not browser and "ubuntu" in family:
        as_root(sys.executable, "-m", "playwright", "install-deps", "chromium")
        run(sys.executable, "-m", "playwright", "install", "chromium")


def main():
    if named := os.environ.get("CHROMIUM"):
        if not found_browser():
            sys.exit(f"The variable CHROMIUM names {named}, which is no file.")
    elif not (found_browser() and found_chinese()):
        get(found_browser(), found_chinese())
    print(f"The browser for the tests: {found_browser() or sys.exit(NONE)}")


if __name__ == "__main__":
    main()
