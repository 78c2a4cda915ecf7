import { hash } from 'node:crypto';

const HASH_BYTES = 32;
/** A tree has at most 2^8 leaves. */
const MAX_DEPTH = 8;
/** Before what is hashed: no leaf can be taken for an inner node, as in RFC 6962. */
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
/** Fills the leaves up to a power of two. No content has this hash. */
const EMPTY = Buffer.alloc(HASH_BYTES);

/** The place of one content in a tree: its leaf, and the hashes beside its way to the root, leaf first. */
export interface TreePlace {
  readonly index: number;
  readonly path: Buffer;
}

/**
 * A tree of hashes: its root stands for all contents, and a content with its place proves that it is one of them.
 *
 * @param contents 1 to 256
 * @returns the root, and the place of each content
 */
export function treeOf(contents: readonly Buffer[]): { root: Buffer; places: TreePlace[] } {
  const paths: Buffer[][] = contents.map(() => []);
  let level = contents.map(leafOf);
  for (let depth = 0; level.length > 1; depth++) {
    if (level.length % 2 === 1) level.push(EMPTY);
    for (const [index, path] of paths.entries()) path.push(level[(index >> depth) ^ 1] ?? EMPTY);
    level = Array.from({ length: level.length / 2 }, (_, index) =>
      nodeOf(level[index * 2] ?? EMPTY, level[index * 2 + 1] ?? EMPTY),
    );
  }
  return { root: level[0] ?? EMPTY, places: paths.map((path, index) => ({ index, path: Buffer.concat(path) })) };
}

/** @returns the root of the tree in which the content has this place; undefined when there is no such place */
export function rootOf(content: Buffer, { index, path }: TreePlace): Buffer | undefined {
  const depth = path.length / HASH_BYTES;
  if (!Number.isInteger(depth) || depth > MAX_DEPTH || !(index >= 0 && index < 2 ** depth)) return undefined;
  let node = leafOf(content);
  for (let level = 0; level < depth; level++) {
    const beside = path.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES);
    node = (index >> level) % 2 === 0 ? nodeOf(node, beside) : nodeOf(beside, node);
  }
  return node;
}

function leafOf(content: Buffer): Buffer {
  return hash('sha256', Buffer.concat([LEAF, content]), 'buffer');
}

function nodeOf(left: Buffer, right: Buffer): Buffer {
  return hash('sha256', Buffer.concat([NODE, left, right]), 'buffer');
}
