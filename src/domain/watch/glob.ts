// Patterns over keys as over paths.

/** Returns whether a key matches a pattern. */
export type Matcher = (key: string) => boolean;

type Token =
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'one' | 'star' | 'globstar' };

/**
 * Compiles a pattern: `*` stands for any characters but "/", `**` for any, `?` for one character but "/", all others for themselves.
 *
 * Takes time in the product of the lengths of pattern and key at worst, whatever the pattern: it goes back only to the last `*` of
 * the present segment and to the last `**`.
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

function matches(tokens: readonly Token[], key: string): boolean {
  const characters = [...key];
  let t = 0;
  let c = 0;
  let star: { readonly t: number; c: number } | undefined;
  let globstar: { readonly t: number; c: number } | undefined;
  for (;;) {
    const token = tokens[t];
    const character = characters[c];
    if (token?.kind === 'globstar') {
      globstar = { t: t + 1, c };
      star = undefined;
      t += 1;
    } else if (token?.kind === 'star') {
      star = { t: t + 1, c };
      t += 1;
    } else if (character === undefined && token === undefined) {
      return true;
    } else if (character !== undefined && token !== undefined && accepts(token, character)) {
      t += 1;
      c += 1;
    } else if (star !== undefined && star.c < characters.length && characters[star.c] !== '/') {
      star.c += 1;
      ({ t, c } = star);
    } else if (globstar !== undefined && globstar.c < characters.length) {
      globstar.c += 1;
      star = undefined;
      ({ t, c } = globstar);
    } else return false;
  }
}

function accepts(token: Token, character: string): boolean {
  return token.kind === 'literal' ? token.character === character : character !== '/';
}
