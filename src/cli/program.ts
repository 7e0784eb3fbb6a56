import { Command, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { parseTime } from './arguments.ts';
import { addCompletionCommands } from './completion.ts';
import { addConfigCommands } from './config.ts';
import { addDiscoveryCommands } from './discovery.ts';
import { addElectCommand } from './elect.ts';
import { EXIT_CODES } from './failure.ts';
import { addKvCommands } from './kv.ts';
import { addLeaseCommands } from './lease.ts';
import { addLockCommands } from './lock.ts';
import { addLsCommand } from './ls.ts';
import { addRegisterCommand } from './register.ts';
import type { Runtime } from './runtime.ts';
import { addStatusCommand } from './status.ts';
import { addWatchCommand } from './watch.ts';

/** Builds the whole command line. Nothing is printed or ended by the parser itself: it throws `CommanderError`. */
export function createProgram(runtime: Runtime): Command {
  const program = new Command('concord')
    .description('Concord from the command line: keys, services, configuration, locks, elections, leases.')
    .version(packageJson.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this text')
    .helpCommand('help [command]', 'print the help of a command')
    .configureHelp({ showGlobalOptions: true, helpWidth: helpWidth(runtime), minWidthToWrap: 20 })
    .configureOutput({
      writeOut: (text) => void runtime.stdout.write(text),
      writeErr: (text) => void runtime.stderr.write(text),
      // What cannot be parsed is told by whoever catches it.
      outputError: () => {},
    })
    .exitOverride()
    .addOption(
      new Option('-s, --server <url>', 'the gateway (CONCORD_SERVER; default: http://127.0.0.1:8090)'),
    )
    .addOption(new Option('--token <text>', 'goes as a bearer token (CONCORD_TOKEN)'))
    .addOption(
      new Option('--timeout <time>', 'how long a call may take, such as 500ms; default: 10s').argParser(
        parseTime,
      ),
    )
    .addOption(new Option('--json', 'print JSON, errors too'))
    .addOption(new Option('--no-color', 'no colours (NO_COLOR)'))
    .addHelpText('after', `\n${EXIT_CODES}`);
  program
    .command('serve')
    .summary('run a gateway')
    .description('Runs a gateway, as npm start does; concord serve --help lists its flags.')
    .usage('[flags]');
  program
    .command('dev')
    .summary('run a gateway with an etcd of its own, for development')
    .description(
      'Runs a gateway with an etcd of its own, its data in .concord, and a line in the log for each call; its flags are those of serve.',
    )
    .usage('[flags]');
  addKvCommands(program, runtime);
  addLsCommand(program, runtime);
  addWatchCommand(program, runtime);
  addRegisterCommand(program, runtime);
  addDiscoveryCommands(program, runtime);
  addConfigCommands(program, runtime);
  addLockCommands(program, runtime);
  addElectCommand(program, runtime);
  addLeaseCommands(program, runtime);
  addStatusCommand(program, runtime);
  addCompletionCommands(program, runtime);
  return program;
}

function helpWidth({ stdout }: Runtime): number {
  return Math.max(40, Math.min(stdout.columns ?? 100, 120));
}
