// Patterns over keys as over paths.

/** Returns whether a key matches a pattern. */
export type Matcher = (key: string) => boolean;

type Token =
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'one' | 'star' | 'globstar' };

/**
 * Compiles a pattern: `*` stands for any characters but "/", `**` for any, `?` for one character but "/", all others for themselves.
 *
 * Takes time in the product of the lengths of pattern and key at worst, whatever the pattern: it never goes back.
 */
export function compileGlob(pattern: string): Matcher {
  const tokens = tokenize(pattern);
  return (key) => matches(tokens, key);
}

function tokenize(pattern: string): readonly Token[] {
  return (pattern.match(/\*{2,}|[\s\S]/gu) ?? []).map((part) => {
    if (part.length > 1 && part.startsWith('*')) return { kind: 'globstar' };
    if (part === '*') return { kind: 'star' };
    return part === '?' ? { kind: 'one' } : { kind: 'literal', character: part };
  });
}

/** Goes through the tokens with all places of the key that the pattern so far can end at, in order. */
function matches(tokens: readonly Token[], key: string): boolean {
  const characters = [...key];
  let places: readonly number[] = [0];
  for (const token of tokens) {
    places = placesAfter(token, characters, places);
    if (places.length === 0) return false;
  }
  return places.at(-1) === characters.length;
}

function placesAfter(
  token: Token,
  characters: readonly string[],
  places: readonly number[],
): readonly number[] {
  const after: number[] = [];
  if (token.kind === 'literal' || token.kind === 'one') {
    for (const place of places) if (accepts(token, characters[place])) after.push(place + 1);
    return after;
  }
  for (const place of places) {
    for (let reached = Math.max(place, (after.at(-1) ?? -1) + 1); reached <= characters.length; reached++) {
      if (reached > place && token.kind === 'star' && characters[reached - 1] === '/') break;
      after.push(reached);
    }
  }
  return after;
}

function accepts(token: Token, character: string | undefined): boolean {
  return token.kind === 'literal'
    ? token.character === character
    : character !== undefined && character !== '/';
}
