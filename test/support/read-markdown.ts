/** One fenced block of a Markdown file. */
export interface FencedBlock {
  /** The heading that it stands under, of whatever level. */
  readonly heading: string;
  /** What follows the opening fence, such as `sh`. */
  readonly language: string;
  readonly text: string;
  /** The line of its opening fence, from 1. */
  readonly line: number;
  /** The next block, where only blank lines stand between the two and it is `json` or `text`: what the commands print. */
  readonly answer: FencedBlock | undefined;
}

/** Reads the fenced blocks of a Markdown file, in order. */
export function readFencedBlocks(markdown: string): readonly FencedBlock[] {
  const found = [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ({ 0: whole, 1: language = '', 2: text = '', index }) => ({
      heading: lastHeading(markdown.slice(0, index)),
      language,
      text,
      line: markdown.slice(0, index).split('\n').length,
      start: index,
      end: index + whole.length,
    }),
  );
  let next: (FencedBlock & { readonly start: number }) | undefined;
  const blocks: FencedBlock[] = [];
  for (const { end, ...block } of found.reverse()) {
    const isFollowed = next !== undefined && markdown.slice(end, next.start).trim() === '';
    const answer = isFollowed && /^(json|text)$/.test(next?.language ?? '') ? next : undefined;
    next = { ...block, answer };
    blocks.unshift(next);
  }
  return blocks;
}

/** Reads the targets of the links of a Markdown file, those inside fenced blocks left out. */
export function readLinks(markdown: string): readonly string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target]) => target ?? []);
}

/** Reads the headings of a Markdown file as the anchors that links name, as GitHub makes them. */
export function readAnchors(markdown: string): readonly string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function lastHeading(markdown: string): string {
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? '';
}
