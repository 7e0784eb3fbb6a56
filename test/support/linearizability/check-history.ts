import { describeOperation } from './describe-operation.ts';
import { findConflict } from './find-conflict.ts';
import { findOrder } from './find-order.ts';
import { findRevisionFaults } from './find-revision-faults.ts';
import type { Operation } from './history.ts';

/**
 * Returns what no linearizable store could have told its clients, in words; empty: nothing.
 *
 * Each key is looked at by itself, for a store is linearizable if each of its keys is (Herlihy and Wing, 1990); that what is said of
 * several fits together is seen from the revisions. None of the keys existed before.
 */
export function checkHistory(history: readonly Operation[]): readonly string[] {
  const byKey = Map.groupBy(history, ({ key }) => key);
  return [...findRevisionFaults(history), ...[...byKey].flatMap(([key, own]) => checkKey(key, own))];
}

function checkKey(key: string, history: readonly Operation[]): readonly string[] {
  const { kind } = findOrder(history);
  switch (kind) {
    case 'linearizable':
      return [];
    case 'undecided':
      return [`key ${key}: no order of its ${history.length} operations was found, and not all were tried`];
    case 'notLinearizable':
      return [
        [
          `key ${key}: there is no order of`,
          ...findConflict(history).map((operation) => `  ${describeOperation(operation)}`),
        ].join('\n'),
      ];
  }
}
