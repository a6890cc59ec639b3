#!/usr/bin/env python3
"""The repair code of Petrel again, in numpy, written from its description (Sources/PetrelMedia/Repair/RepairCode.swift)
and not from its code: it makes the vectors that PetrelMediaTests compare with.

    repair-code.py            prints vectors
    repair-code.py --check    solves the printed equations by elimination, and compares the vectors in the tree
"""
import pathlib
import sys

import numpy as np

VECTORS = pathlib.Path(__file__).parent / "repair-code.txt"
POLYNOMIAL = 0x11D


def product(left, right):
    """Multiplication of polynomials over GF(2), bit by bit, then the remainder by the polynomial of the field."""
    wide = 0
    for bit in range(8):
        if right >> bit & 1:
            wide ^= left << bit
    for bit in range(14, 7, -1):
        if wide >> bit & 1:
            wide ^= POLYNOMIAL << (bit - 8)
    return wide


TABLE = np.array([[product(a, b) for b in range(256)] for a in range(256)], dtype=np.uint8)


def coefficient(repair, sequence):
    mixed = ((repair << 16 | sequence) + 0x9E3779B9) & 0xFFFFFFFF
    mixed ^= mixed >> 16
    mixed = mixed * 0x7FEB352D & 0xFFFFFFFF
    mixed ^= mixed >> 15
    mixed = mixed * 0x846CA68B & 0xFFFFFFFF
    mixed ^= mixed >> 16
    return 1 + ((mixed >> 8) * 255 >> 24)


def symbol(packet, length):
    _, marker, payload_type, timestamp, payload = packet
    head = len(payload).to_bytes(2, "big") + bytes([marker << 7 | payload_type]) + timestamp.to_bytes(4, "big")
    return np.frombuffer((head + payload).ljust(length, b"\0"), dtype=np.uint8)


def repair(number, window):
    length = 7 + max(len(packet[4]) for packet in window)
    total = np.zeros(length, dtype=np.uint8)
    for packet in window:
        total ^= TABLE[coefficient(number, packet[0]), symbol(packet, length)]
    return bytes([0, len(window)]) + window[0][0].to_bytes(2, "big") + total.tobytes()


def example():
    random = np.random.default_rng(8681)
    media = []
    for index in range(24):
        sequence = (65_524 + index) & 0xFFFF
        payload = random.integers(0, 256, int(random.integers(1, 49)), dtype=np.uint8).tobytes()
        media.append((sequence, int(index % 6 == 5), 96, (4_294_960_000 + index // 6 * 3000) & 0xFFFFFFFF, payload))
    windows = [(65_530, 0, 6), (65_531, 0, 12), (65_535, 6, 12), (0, 6, 18), (1, 0, 24), (2, 18, 6), (3, 12, 1)]
    windows += [(100 + index, 4, 20) for index in range(20)]
    return media, [(number, first, count, repair(number, media[first:first + count])) for number, first, count in windows]


def lines():
    media, repairs = example()
    for sequence, marker, payload_type, timestamp, payload in media:
        yield f"media {sequence} {marker} {payload_type} {timestamp} {payload.hex()}"
    for number, first, count, payload in repairs:
        yield f"repair {number} {media[first][0]} {count} {payload.hex()}"


def solve():
    """Recovers the last 20 packets from the 20 repair packets over them alone, by elimination."""
    media, repairs = example()
    window = media[4:]
    rows = [entry for entry in repairs if entry[2] == 20]
    length = max(len(row[3]) for row in rows) - 4
    system = np.zeros((20, 20 + length), dtype=np.uint8)
    for index, (number, _, _, payload) in enumerate(rows):
        system[index, :20] = [coefficient(number, packet[0]) for packet in window]
        system[index, 20:20 + len(payload) - 4] = np.frombuffer(payload[4:], dtype=np.uint8)
    inverse = {a: b for a in range(1, 256) for b in range(1, 256) if TABLE[a, b] == 1}
    for column in range(20):
        pivot = next(row for row in range(column, 20) if system[row, column])
        system[[column, pivot]] = system[[pivot, column]]
        system[column] = TABLE[inverse[int(system[column, column])], system[column]]
        for row in range(20):
            if row != column:
                system[row] ^= TABLE[system[row, column], system[column]]
    return all((system[index, 20:] == symbol(packet, length)).all() for index, packet in enumerate(window))


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        same = VECTORS.read_text().splitlines() == list(lines())
        print(f"vectors in the tree: {'the same' if same else 'DIFFERENT'}; 20 of 20 packets solved: {solve()}")
        sys.exit(0 if same and solve() else 1)
    print("\n".join(lines()))
