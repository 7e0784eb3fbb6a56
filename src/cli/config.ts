import type { Command } from 'commander';
import { addConfigHistoryCommands } from './config-history.ts';
import { addConfigItemCommands } from './config-items.ts';
import { addConfigPublishCommand } from './config-publish.ts';
import { addConfigTransferCommands } from './config-transfer.ts';
import { addConfigWatchCommand } from './config-watch.ts';
import type { Runtime } from './runtime.ts';

/** Adds `config` with its commands. */
export function addConfigCommands(program: Command, runtime: Runtime): void {
  const config = program
    .command('config')
    .summary('read and write the configuration of applications')
    .description('The configuration of applications: typed, checked, with its history.');
  addConfigItemCommands(config, runtime);
  addConfigPublishCommand(config, runtime);
  addConfigHistoryCommands(config, runtime);
  addConfigTransferCommands(config, runtime);
  addConfigWatchCommand(config, runtime);
}
