"""Files as a bad disk, another program or somebody hostile might leave them, the same each time."""

import copy
import json
import random

STRANGE = (
    *(None, True, False, 0, -1, 1e308, 10**400, 0.5, "", "x", [], {}, [[]], [None], {"": None}),
    *(float("nan"), float("inf"), "<script>alert(1)</script>", "../../x", "\x00", "é" * 300),
)


def broken(data, seed):
    """Bytes with something cut off, turned over, blanked, doubled or put in."""
    chance = random.Random(seed)
    data = bytearray(data)
    at, length = chance.randrange(len(data) + 1), chance.randrange(1, 64)
    match chance.randrange(6):
        case 0:
            del data[at:]
        case 1:
            del data[at : at + length]
        case 2:
            data[at : at + length] = bytes(len(data[at : at + length]))
        case 3:
            data[at:at] = data[at : at + length]
        case 4:
            data[at:at] = chance.randbytes(length)
        case _:
            for _ in range(chance.randrange(1, 5)):
                place = chance.randrange(len(data)) if data else 0
                data[place : place + 1] = bytes([chance.randrange(256)])
    return bytes(data)


def odd(record, seed):
    """A JSON value with one of its parts another: a strange one, none, or a part of its own."""
    chance = random.Random(seed)
    record = copy.deepcopy(record)
    places = list(_places(record))
    if not places:
        return chance.choice(STRANGE)
    whole, key = chance.choice(places)
    match chance.randrange(8):
        case 0:
            return chance.choice(STRANGE)
        case 1:
            del whole[key]
        case 2:
            whole[key] = copy.deepcopy(record)
        case _:
            whole[key] = chance.choice(STRANGE)
    return record


def _places(value):
    """Everything that lies in a JSON value, as what holds it and under which key."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from _places(value[key])


def odd_json(data, seed):
    """A JSON file, or lines of JSON, with one record odd."""
    lines = data.splitlines()
    try:
        return json.dumps(odd(json.loads(data), seed)).encode()
    except ValueError:
        place = random.Random(seed).randrange(len(lines))
        lines[place] = json.dumps(odd(json.loads(lines[place]), seed)).encode()
        return b"\n".join(lines) + b"\n"
