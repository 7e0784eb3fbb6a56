import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { resume } from '../../../src/cli/resume.ts';
import { reasonError } from '../../../src/rpc/checks/errors.ts';

interface Message {
  readonly value: number;
  readonly token: string;
}

/** What one stream does: sends, then fails or ends. */
interface Script {
  readonly values: readonly number[];
  readonly failure?: unknown;
}

const never = new AbortController().signal;
const broken = new ConnectError('read ECONNRESET', Code.Aborted);

describe('a stream that is resumed', () => {
  it('goes on with the token of the last message, each time', async () => {
    const gateway = scripted([
      { values: [1, 2], failure: broken },
      { values: [], failure: reasonError('SHUTTING_DOWN', 'why') },
      { values: [3] },
      { values: [4] },
    ]);
    const told: string[] = [];
    const messages = resume(
      { ...gateway, onBreak: () => told.push('broken'), onResumed: () => told.push('resumed') },
      { signal: never },
    );
    expect(await take(messages, 4)).toEqual([1, 2, 3, 4]);
    expect(gateway.tokens).toEqual([undefined, 'after 2', 'after 2', 'after 3']);
    expect(told).toEqual(['broken', 'resumed', 'broken', 'resumed']);
  });

  it('takes the token of an error that says where it stopped', async () => {
    const failure = reasonError('WATCH_TOO_SLOW', 'why', { resume_token: 'after 9' });
    const gateway = scripted([{ values: [1], failure }, { values: [10] }]);
    expect(await take(resume(gateway, { signal: never }), 2)).toEqual([1, 10]);
    expect(gateway.tokens).toEqual([undefined, 'after 9']);
  });

  it('fails where it cannot even begin, and with what does not pass by itself', async () => {
    await expect(
      take(resume(scripted([{ values: [], failure: broken }]), { signal: never }), 1),
    ).rejects.toBe(broken);
    const over = reasonError('SESSION_NOT_FOUND', 'why');
    const gateway = scripted([
      { values: [1], failure: broken },
      { values: [], failure: over },
    ]);
    await expect(take(resume(gateway, { signal: never }), 2)).rejects.toBe(over);
  });

  it('ends with the reason of the abort, also while it waits to try again', async () => {
    const controller = new AbortController();
    const gateway = scripted([{ values: [1], failure: broken }]);
    const reason = new Error('done');
    const messages = resume(
      { ...gateway, onBreak: () => controller.abort(reason) },
      { signal: controller.signal },
    );
    await expect(take(messages, 2)).rejects.toBe(reason);
  });
});

function scripted(scripts: readonly Script[]) {
  const tokens: (string | undefined)[] = [];
  return {
    tokens,
    async *open(token: string | undefined): AsyncGenerator<Message> {
      const script = scripts[tokens.length];
      tokens.push(token);
      for (const value of script?.values ?? []) yield { value, token: `after ${value}` };
      if (script?.failure !== undefined) throw script.failure;
    },
    tokenOf: ({ token }: Message) => token,
  };
}

async function take(messages: AsyncIterable<Message>, count: number): Promise<number[]> {
  const values: number[] = [];
  for await (const { value } of messages) {
    values.push(value);
    if (values.length === count) break;
  }
  return values;
}
