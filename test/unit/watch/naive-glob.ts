/** Matches a glob as its definition says, with a regular expression, whatever it costs. */
export function matchesNaively(pattern: string, key: string): boolean {
  const source = pattern.replace(/\*{2,}|[\s\S]/gu, (part) => {
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.startsWith('**')) return '[\\s\\S]*';
    return part.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
  });
  return new RegExp(`^(?:${source})$`, 'u').test(key);
}
