"""The plugin's record of one region: blocks of instructions, their executions, and the caches that served them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import EstimateError

#: The size limit of a region, which bounds the controller's memory. A large network's has some 5,000 blocks in 1 MB.
_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Block:
    """A straight piece of code.

    Attributes:
        code: its instructions, 32 bits each.
        executions: how often it ran.
        cache_lines: lines of 64 bytes that missed the first data cache and hit a later one.
        memory_lines: lines that came from memory.
    """

    code: tuple[int, ...]
    executions: int
    cache_lines: int
    memory_lines: int


@dataclass(frozen=True)
class _Piece:
    address: int
    block: Block

    @property
    def end(self) -> int:
        return self.address + 4 * len(self.block.code)


def read_region(path: Path) -> tuple[Block, ...]:
    """The blocks of a region's file, each distinct code once.

    Raises:
        EstimateError: the file is missing, incomplete or too large.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise EstimateError(f"{path.name} is larger than {_MAX_BYTES >> 20} MiB")
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeError) as error:
        raise EstimateError(f"QEMU's plugin left no region {path.name}: {error}") from error
    if not lines or lines[-1] != "end" or not lines[0].startswith("levels "):
        raise EstimateError(f"{path.name} is no whole region")
    try:
        pieces = [_piece(line.split()) for line in lines[1:-1]]
    except (ValueError, IndexError) as error:
        raise EstimateError(f"{path.name} has a line that is no block: {error}") from error
    return merged(joined(pieces))


def _piece(words: list[str]) -> _Piece:
    """Parse ``block ADDRESS EXECUTIONS SERVED... CODE``; the last of SERVED is memory."""
    word, address, executions, *served, code = words
    if word != "block" or len(code) % 8 or not code:
        raise ValueError(" ".join(words)[:80])
    lines = [int(count) for count in served]
    instructions = tuple(int(code[i : i + 8], 16) for i in range(0, len(code), 8))
    block = Block(instructions, int(executions), sum(lines[:-1]), lines[-1] if lines else 0)
    return _Piece(int(address, 16), block)


def joined(pieces: list[_Piece]) -> list[Block]:
    """Join pieces that QEMU translated separately: at the end of a page, or where a block was too long.

    Two pieces belong together when the first does not end in a branch, and the second one is the only piece that begins
    where the first ends and ran as often.
    """
    starting = defaultdict(list)
    for piece in pieces:
        starting[piece.address].append(piece)
    taken: set[int] = set()
    blocks = []
    for piece in sorted(pieces, key=lambda piece: piece.address):
        if id(piece) in taken:
            continue
        whole = piece
        while not ends_block(whole.block.code[-1]):
            following = [
                other
                for other in starting[whole.end]
                if id(other) not in taken and other.block.executions == whole.block.executions
            ]
            if len(following) != 1:
                break
            taken.add(id(following[0]))
            whole = _Piece(whole.address, _both(whole.block, following[0].block))
        blocks.append(whole.block)
    return blocks


def _both(first: Block, second: Block) -> Block:
    return Block(
        code=first.code + second.code,
        executions=first.executions,
        cache_lines=first.cache_lines + second.cache_lines,
        memory_lines=first.memory_lines + second.memory_lines,
    )


def merged(blocks: list[Block]) -> tuple[Block, ...]:
    """Merge equal code at several addresses into one block; in the order of first appearance."""
    by_code: dict[tuple[int, ...], list[Block]] = defaultdict(list)
    for block in blocks:
        by_code[block.code].append(block)
    return tuple(
        Block(
            code=code,
            executions=sum(block.executions for block in same),
            cache_lines=sum(block.cache_lines for block in same),
            memory_lines=sum(block.memory_lines for block in same),
        )
        for code, same in by_code.items()
    )


def ends_block(word: int) -> bool:
    """Whether an A64 instruction is a branch or an exception (Arm ARM, C4.1.65, bits 28 to 26 are 101)."""
    return word >> 26 & 7 == 5 and word >> 22 & 0x3FF != 0x354  # not system instructions: barriers, hints, registers


def instructions(blocks: tuple[Block, ...]) -> int:
    """The number of instructions that a region executed."""
    return sum(block.executions * len(block.code) for block in blocks)
