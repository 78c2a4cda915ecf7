import fc from 'fast-check';
import { rootOf, treeOf } from './signature-tree.js';

const content = fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes));
const contents = fc.array(content, { minLength: 1, maxLength: 70, size: 'max' });

describe('a tree of hashes', () => {
  it('given any contents, then each place leads to the root', () => {
    fc.assert(
      fc.property(contents, (all) => {
        const { root, places } = treeOf(all);
        expect(places.map((place, index) => rootOf(all[index] ?? Buffer.alloc(0), place))).toEqual(all.map(() => root));
      }),
    );
  });

  it('given another content, index or path, then it does not lead to the root', () => {
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat(), (all, chosen, bit) => {
        const { root, places } = treeOf(all);
        const [one, place] = [all[chosen % all.length], places[chosen % all.length]];
        if (one === undefined || place === undefined) throw new Error('unreachable');
        expect(rootOf(Buffer.concat([one, Buffer.from('x')]), place)).not.toEqual(root);
        if (place.path.length === 0) return;
        const path = Buffer.from(place.path);
        const flipped = bit % path.length;
        path[flipped] = (path[flipped] ?? 0) ^ 1;
        expect(rootOf(one, { ...place, path })).not.toEqual(root);
        expect(rootOf(one, { ...place, path: place.path.subarray(32) })).not.toEqual(root);
      }),
    );
  });

  it.each([
    { given: 'a path of broken hashes', place: { index: 0, path: Buffer.alloc(33) } },
    { given: 'a path that is too long', place: { index: 0, path: Buffer.alloc(32 * 9) } },
    { given: 'an index beyond the tree', place: { index: 2, path: Buffer.alloc(32) } },
    { given: 'no index', place: { index: Number.NaN, path: Buffer.alloc(32) } },
  ])('given $given, then there is no root', ({ place }) => {
    expect(rootOf(Buffer.from('a'), place)).toBeUndefined();
  });

  it('given an inner node as a content, then it does not stand for its leaves', () => {
    const [left, right] = [Buffer.from('left'), Buffer.from('right')];
    const { root, places } = treeOf([left, right]);
    const hashes = Buffer.concat([places[1]?.path ?? left, places[0]?.path ?? right]);
    expect(rootOf(hashes, { index: 0, path: Buffer.alloc(0) })).not.toEqual(root);
  });
});
