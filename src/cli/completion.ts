import { Argument, type Command } from 'commander';
import { complete } from './complete.ts';
import type { Runtime } from './runtime.ts';

/** How long the gateway may take while somebody waits for a completion. */
const COMPLETE_TIMEOUT_MS = 2_000;

/** Each asks `concord __complete` for what could stand there; what a path could go on with is not followed by a space. */
const SCRIPTS = {
  bash: `# concord: completion for bash. In ~/.bashrc: source <(concord completion bash)
_concord() {
  local line="\${COMP_LINE:0:COMP_POINT}" words current
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  current="\${words[-1]}"
  local IFS=$'\\n'
  COMPREPLY=($(concord __complete -- "\${words[@]:1}" 2>/dev/null))
  # Bash completes what stands after the last of its own word breaks.
  local before="\${current%"\${current##*[=:]}"}"
  [[ -n $before ]] && COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  [[ \${COMPREPLY[0]-} == */ ]] && compopt -o nospace
  return 0
}
complete -o default -F _concord concord
`,
  zsh: `#compdef concord
# concord: completion for zsh. In ~/.zshrc, after compinit: source <(concord completion zsh)
_concord() {
  local -a found paths names
  found=("\${(@f)$(concord __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  paths=(\${(M)found:#*/})
  names=(\${found:#*/})
  (( $#names )) && compadd -- $names
  (( $#paths )) && compadd -S '' -- $paths
  (( $#found )) || _files
}
compdef _concord concord
`,
  fish: `# concord: completion for fish. In ~/.config/fish/config.fish: concord completion fish | source
function __concord_complete
  set -l words (commandline -opc) (commandline -ct)
  concord __complete -- $words[2..] 2>/dev/null
end
complete -c concord -f -a '(__concord_complete)'
`,
} as const;

type Shell = keyof typeof SCRIPTS;

/** Adds `completion`, and the hidden `__complete` that its scripts call. */
export function addCompletionCommands(program: Command, runtime: Runtime): void {
  program
    .command('completion')
    .summary('print a script that completes commands, flags and names')
    .description(
      'Prints a script for a shell. It completes commands, flags, and, from the gateway, keys, services, applications, locks and leases.',
    )
    .addArgument(new Argument('<shell>', 'which').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
To set it up:
  bash  echo 'source <(concord completion bash)' >> ~/.bashrc
  zsh   echo 'source <(concord completion zsh)' >> ~/.zshrc
  fish  echo 'concord completion fish | source' >> ~/.config/fish/config.fish`,
    )
    .action((shell: Shell) => void runtime.stdout.write(SCRIPTS[shell]));
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const call = { timeoutMs: COMPLETE_TIMEOUT_MS };
      const found = await complete(program, words, runtime.env, call);
      if (found.length > 0) runtime.stdout.write(`${found.join('\n')}\n`);
    });
}
