// Importing a profile from a text.

import type { OperationOptions } from '../store.ts';
import type { ConfigChange } from './config-item.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { Documents, TransferFormat } from './document.ts';
import type { EditConditions, Edited, EditRequest } from './edit-items.ts';
import { importEdits } from './transfer.ts';

/** What to import. */
export interface ImportRequest extends EditConditions {
  readonly application: string;
  readonly profile: string;
  readonly format: TransferFormat;
  readonly text: string;
  /** Whether items that the text does not hold are deleted. */
  readonly isReplacing: boolean;
  readonly isDryRun: boolean;
}

/** What was imported, or would be. */
export interface Imported extends Edited {
  readonly unchangedCount: number;
  readonly stepCount: number;
}

/** What it needs. */
export interface ImportDeps {
  readonly documents: Documents;
  readonly memory: ConfigMemory;
  readonly edit: (request: EditRequest, options: OperationOptions) => Promise<Edited>;
}

/** Writes what a text holds and is not there yet. Rejects with CONFIG_TEXT_INVALID, and as an edit does. */
export async function importText(
  { documents, memory, edit }: ImportDeps,
  { application, profile, format, text, isReplacing, isDryRun, ...conditions }: ImportRequest,
  options: OperationOptions,
): Promise<Imported> {
  const { value: items } = await memory.exactly(
    application,
    () => new Map(memory.items(application, profile)),
    options,
  );
  const edits = importEdits(documents, format, text, items, isReplacing);
  const request = { application, profile, edits, ...conditions, skipUnchanged: true, isDryRun };
  const { changes, revision } = await edit(request, options);
  const changed: readonly ConfigChange[] = changes;
  return {
    changes,
    revision,
    unchangedCount: edits.length - changed.length,
    stepCount: changed.length === 0 || isDryRun ? 0 : 1,
  };
}
