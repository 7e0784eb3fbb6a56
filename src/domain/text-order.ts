const SURROGATES_START = 0xd800;
const SURROGATES_END = 0xe000;

/**
 * Orders texts as the store orders keys, by the bytes of their UTF-8: negative where `a` comes first, 0 where they are equal.
 *
 * That is the order of code points. The order of UTF-16, which `<` has, puts those from U+10000 on before U+E000.
 */
export function compareTexts(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= SURROGATES_START && unit < SURROGATES_END ? unit + 0x1_0000 : unit;
}
