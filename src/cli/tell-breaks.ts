import { reasonOf } from './failure.ts';
import type { Output } from './output.ts';
import type { Resumable } from './resume.ts';

/** Says on standard error that a stream broke, with the gateway's reason where it gave one, and that it goes on. */
export function tellBreaks(output: Output): Required<Pick<Resumable<unknown>, 'onBreak' | 'onResumed'>> {
  return {
    onBreak(error) {
      const reason = reasonOf(error);
      output.note(`the connection broke${reason === undefined ? '' : ` (${reason})`}; connecting again`);
    },
    onResumed: () => output.note('connected again'),
  };
}
