/** How the messages of a call are written. */
export interface Wire {
  readonly protocol: 'grpc' | 'grpc-web' | 'connect';
  readonly codec: 'proto' | 'json';
  /** Whether a message stands in an envelope: five bytes of flags and length. */
  readonly isEnveloped: boolean;
  /** That of the answer. */
  readonly contentType: string;
}

const CONTENT_TYPE =
  /^application\/(?:(grpc|grpc-web)|(?:(grpc|grpc-web|connect)\+)?(?:proto|(json)(?:; ?charset=utf-?8)?))$/i;

const known = new Map<string, Wire | undefined>();
/** So many spellings of content types are remembered: a caller can invent any number. */
const MAX_KNOWN = 100;

/** Returns how a call with this content type is written; undefined for one that only the library knows. */
export function wireOf(contentType: string): Wire | undefined {
  const found = known.get(contentType);
  if (found !== undefined || known.has(contentType)) return found;
  const wire = parse(contentType);
  if (known.size < MAX_KNOWN) known.set(contentType, wire);
  return wire;
}

function parse(contentType: string): Wire | undefined {
  const match = CONTENT_TYPE.exec(contentType);
  if (match === null) return undefined;
  const [, bare, prefix = bare, json] = match;
  const protocol = prefix?.toLowerCase();
  const codec = json === undefined ? 'proto' : 'json';
  switch (protocol) {
    case 'grpc':
    case 'grpc-web':
    case 'connect':
      return { protocol, codec, isEnveloped: true, contentType: `application/${protocol}+${codec}` };
    default:
      return { protocol: 'connect', codec, isEnveloped: false, contentType: `application/${codec}` };
  }
}
