"""Who works while processes are killed: real clients, and an administrator at the machine."""

import json
import pathlib
import random
import subprocess
import threading
import time

import clients
from hub import ESPACED

REST_S = 120  # until everybody has completed what they are at
WORDS_KILLED = 0.2  # so many of the words are killed themselves
WORD_LASTS_S = 0.1
TOKENS_KEPT = 10


class Workload:
    """The clients, in a process of their own; their lines go into the history."""

    def __init__(self, hub, history, seed, spaces, app):
        self.history = history
        self.client = clients.Client("2.4.0", hub)
        script = pathlib.Path(__file__).with_name("workload.py")
        self.process = subprocess.Popen([self.client.python, script, str(seed), json.dumps(spaces), app],
                                        env=self.client.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, start_new_session=True)
        self.resting = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for text in self.process.stdout:
            line = json.loads(text)
            if "resting" in line:
                self.resting.set()
            else:
                self.history.hear(line)

    def say(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def rest(self):
        self.resting.clear()
        self.say("rest")
        assert self.resting.wait(REST_S), "a client does not come back"

    def end(self):
        self.process.stdin.close()
        self.process.wait(REST_S)
        self.client.close()


class Administrator(threading.Thread):
    """Words on the data directory: tokens come and go, members of an organisation change."""

    def __init__(self, hub, history, seed):
        super().__init__(daemon=True)
        self.hub, self.history = hub, history
        self.random = random.Random(f"{seed} words")
        self.count = 0
        self.tokens = []
        self.going, self.resting, self.ending = threading.Event(), threading.Event(), False

    def word(self, sets, *words):
        number = f"word {self.count}"
        self.history.hear({"attempt": number, "actor": "administrator", "sets": sets, "words": words})
        word = subprocess.Popen([ESPACED, "--data", self.hub.data, *words], stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)
        if self.random.random() < WORDS_KILLED:
            time.sleep(self.random.random() * WORD_LASTS_S)
            word.kill()
        _, said = word.communicate()
        self.history.hear({"attempt": number, **({"error": said[-300:]} if word.returncode else {"done": True})})

    def act(self):
        self.count += 1
        if len(self.tokens) > TOKENS_KEPT:
            name, token = self.tokens.pop(0)
            self.word({f"token {token}": None}, "token", "revoke", "me", name)
        elif self.count % 2:
            name, token = f"t{self.count}", f"hf_{self.random.randbytes(17).hex()}"
            self.tokens.append((name, token))
            self.word({f"token {token}": True}, "token", "add", "me", "--name", name, "--value", token)
        else:
            role = self.random.choice(["admin", "write", "contributor", "read", "none"])
            self.word({"member other": None if role == "none" else role}, "org", "member", "team", f"other:{role}")

    def run(self):
        while not self.ending:
            if not self.going.is_set():
                self.resting.set()
                self.going.wait(0.1)
                continue
            self.act()
            time.sleep(self.random.random() * 0.3)

    def go(self):
        self.resting.clear()
        self.going.set()

    def rest(self):
        self.going.clear()
        self.resting.clear()
        assert self.resting.wait(REST_S)
