/** Fields of JSON whose values differ from run to run. */
const VARYING = new Set([
  'revision',
  'createRevision',
  'modRevision',
  'version',
  'leaseId',
  'fencingToken',
  'termToken',
  'expireTime',
  'acquireTime',
  'registerTime',
  'updateTime',
  'nextPageToken',
  'actual_revision',
  'expected_revision',
]);

/**
 * Takes out of what a command printed all that differs from run to run, so that it can be compared with what documentation shows.
 *
 * In JSON these are the values of revisions, versions, leases, tokens and times, the encoded form of error details, and numbers inside
 * messages; in other text all numbers, folders, and how much space there is.
 */
export function maskPrinted(text: string): unknown {
  try {
    return maskJson(JSON.parse(text));
  } catch {
    return maskText(text);
  }
}

function maskJson(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => maskJson(item));
  if (typeof value === 'object' && value !== null) {
    const isErrorDetail = 'type' in value && 'value' in value;
    return Object.fromEntries(
      Object.entries(value).map(([key, held]) => [
        key,
        isErrorDetail && key === 'value' ? '…' : maskJson(held, key),
      ]),
    );
  }
  if (VARYING.has(name)) return '…';
  return name === 'message' ? maskText(String(value)) : value;
}

function maskText(text: string): string {
  return text
    .replace(/\/[\w./-]+\.concord\b|(?<=data in )\S+/g, '<folder>')
    .replace(/\d+/g, '#')
    .replace(/\s+/g, ' ')
    .trim();
}
