import { EXIT } from './failure.ts';
import { takeInterrupts } from './interrupts.ts';
import { type Resumable, resume } from './resume.ts';
import type { Use } from './runtime.ts';
import { tellBreaks } from './tell-breaks.ts';

/**
 * Prints what a watch sends, message by message, until a signal comes, and returns the exit code for that, 0. It goes on where it was when the
 * connection broke; throws what does not pass by itself.
 */
export async function follow<Message>(
  { open, tokenOf }: Pick<Resumable<Message>, 'open' | 'tokenOf'>,
  print: (message: Message) => Promise<void>,
  { output }: Use,
): Promise<number> {
  using interrupts = takeInterrupts();
  const messages: Resumable<Message> = {
    open,
    tokenOf,
    ...tellBreaks(output),
  };
  try {
    for await (const message of resume(messages, { signal: interrupts.signal })) await print(message);
  } catch (error) {
    if (!interrupts.signal.aborted) throw error;
  }
  return EXIT.ok;
}
