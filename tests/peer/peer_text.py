"""Answers of DVC and Nephron made comparable: the repository's path, hints and links are nobody's contract."""

import json
import re

HINTS = re.compile(
    r"\n?To track the changes with git, run:\n\n\t.*\n"
    r"|\n?To enable auto staging, run:\n\n\t\S+ config core\.autostage true\n"
    r"|\n?Use `\S+ push` to send your updates to remote storage\.\n"
)
TROUBLES = re.compile(r"\n*Having any troubles\? .*\n?")


def plain(text, root):
    text = TROUBLES.sub("\n", HINTS.sub("", text.replace(root, "ROOT")))
    text = re.sub(r"(?<=[`'\"])nephron ", "dvc ", text)
    text = re.sub(r"<https:[^>]*>", "<LINK>", text)
    return re.sub(r"\n{2,}", "\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")


def ordered(value):
    """JSON in which the order of lists is not defined."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted((ordered(item) for item in value), key=json.dumps)
    return value


def sorted_lines(text):
    return "\n".join(sorted(text.split("\n")))
