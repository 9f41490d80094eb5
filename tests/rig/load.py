"""sluice-load: to its end, or in the background, while a test does to the system what it wants to know the effect of."""
import itertools
import json
import subprocess

from trial import Failure

NUMBERS = itertools.count(1)
# What a trial's load is when nobody says otherwise.
USUAL = {"--size": 10_240, "--domains": 100, "--domain-suffix": ".d.test", "--streams": "transactional,marketing", "--from": "bulk@shop.example"}


def load_command(trial, messages, *more):
    usual = [word for option, value in USUAL.items() if option not in more for word in (option, value)]
    return [str(word) for word in (trial.bin / "sluice-load", "--target", trial.local.submit, "--key", trial.key, "--messages", messages,
                                   "--quiet", *usual, *more)]


def run_load(trial, messages, *more):
    """Sends all of it; answers what sluice-load tells of it."""
    result = subprocess.run(load_command(trial, messages, *more), stdout=subprocess.PIPE, text=True, check=False, timeout=900)
    if result.returncode != 0:
        raise Failure("sluice-load ended with %d: %s" % (result.returncode, result.stdout))
    return json.loads(result.stdout.strip().splitlines()[-1])


class Load:
    """What it was promised is in its tokens file. The trial has `key`, an API key's secret."""

    def __init__(self, trial, messages, rate, size=4000, domains=50, more=()):
        number = next(NUMBERS)
        self.tokens_file = trial.dir / ("tokens-%d" % number)
        self.log = open(trial.dir / ("load-%d.log" % number), "w+")
        command = load_command(trial, messages, "--rate", rate, "--size", size, "--domains", domains, "--seed", number, "--tokens-file",
                               self.tokens_file, *more)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def running(self):
        return self.process.poll() is None

    def finish(self):
        """Its summary; a Failure if anything was refused for good."""
        out, _ = self.process.communicate(timeout=600)
        if self.process.returncode != 0:
            self.log.seek(0)
            raise Failure("sluice-load failed:\n%s" % self.log.read()[-2000:])
        self.log.close()
        return json.loads(out.strip().splitlines()[-1])

    def summary(self):
        """The same, whatever was refused."""
        out, _ = self.process.communicate(timeout=900)
        self.log.close()
        return json.loads(out.strip().splitlines()[-1])

    def promised(self):
        return [line.split()[0] for line in self.tokens_file.read_text().splitlines()]
