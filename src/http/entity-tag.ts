/** Returns a weak entity tag (RFC 9110, 8.8.3) that is the same for the same content. */
export async function weakEntityTag(content: string | Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(content));
  return `W/"${Buffer.from(digest).toString('base64url')}"`;
}

/** Tells whether an If-None-Match header names this tag or any (`*`), weak or strong (RFC 9110, 13.1.2). */
export function isNamedIn(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  const [opaque] = opaqueTags(tag);
  return opaqueTags(ifNoneMatch).some((each) => each === opaque);
}

function opaqueTags(header: string): readonly string[] {
  return header.match(/"[^"]*"/g) ?? [];
}
