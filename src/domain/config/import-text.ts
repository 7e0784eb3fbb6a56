// Importing a profile from a text.

import { DomainError } from '../errors.ts';
import type { OperationOptions } from '../store.ts';
import type { ConfigMemory } from './config-memory.ts';
import type { Documents, TransferFormat } from './document.ts';
import type { EditConditions, Edited, EditRequest } from './edit-items.ts';
import type { SteppedImports } from './stepped-imports.ts';
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
  /** In how many transactions it was written. */
  readonly stepCount: number;
}

/** What it needs. */
export interface ImportDeps {
  readonly documents: Documents;
  readonly memory: ConfigMemory;
  readonly steps: SteppedImports;
  readonly edit: (request: EditRequest, options: OperationOptions) => Promise<Edited>;
}

/**
 * Writes what a text holds and is not there yet: at one revision, or, where that is more than one transaction takes, in steps.
 *
 * Rejects with CONFIG_TEXT_INVALID, and as an edit does.
 */
export async function importText(
  { documents, memory, steps, edit }: ImportDeps,
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
  const written = await writeAll();
  return { ...written, unchangedCount: edits.length - written.changes.length };

  async function writeAll(): Promise<Edited & { readonly stepCount: number }> {
    try {
      const edited = await edit(request, options);
      return { ...edited, stepCount: isDryRun || edited.changes.length === 0 ? 0 : 1 };
    } catch (error) {
      if (!isTooMuch(error)) throw error;
      return steps.write(request, options);
    }
  }
}

/** Whether one transaction cannot take it. */
function isTooMuch(error: unknown): boolean {
  return (
    error instanceof DomainError &&
    (error.reason === 'REQUEST_TOO_LARGE' || error.reason === 'TOO_MANY_OPERATIONS')
  );
}
