/** Completion of a command line by the shell: the shell calls `cert complete -- WORDS`, and gets a line for each way to continue. */
import type { Command, Option } from 'commander';
import { NameOption } from './commands/name-option.js';

/** The shells that {@link SCRIPTS} has scripts for. */
export type Shell = 'bash' | 'zsh' | 'fish';

/**
 * What makes each shell ask. Words are passed on as they are, without being evaluated. Without an answer the shell completes names of files.
 */
export const SCRIPTS: { readonly [K in Shell]: string } = {
  bash: `# Completion of cert in bash: eval "$(cert completion bash)"
_cert_complete() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    [[ -n $line ]] && COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(cert complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _cert_complete cert`,
  zsh: `#compdef cert
# Completion of cert in zsh: eval "$(cert completion zsh)", behind compinit
_cert_complete() {
  local -a answers
  local line
  while IFS= read -r line; do
    [[ -n $line ]] && answers+=("\${\${line//:/\\\\:}/$'\\t'/:}")
  done < <(cert complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#answers} )); then _describe 'cert' answers; else _files; fi
}
compdef _cert_complete cert`,
  fish: `# Completion of cert in fish: cert completion fish | source
complete -c cert -e
complete -c cert -a '(cert complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'`,
};

/**
 * The ways to continue a command line: `value<TAB>description`.
 *
 * @param program with the options of the command that the line names
 * @param words what follows the name of the command; the last one is unfinished, and may be empty
 */
export function completions(program: Command, words: readonly string[]): readonly string[] {
  // bash takes `--preset=digits` apart at the equals sign.
  const joined = words.filter((word) => word !== '=');
  const last = words.at(-1) === '=' ? '' : (joined.at(-1) ?? '');
  const before = words.at(-1) === '=' ? joined : joined.slice(0, -1);
  const command = before.reduce((at, word) => subcommand(at, word) ?? at, program);
  const options = [...command.createHelp().visibleOptions(command), ...program.options];
  const assigned = /^(--[^=]+=)(.*)$/.exec(last);
  const named = (flag: string) => options.find(({ long, short }) => flag === long || flag === short);
  const option = named(assigned ? assigned[1]!.slice(0, -1) : (before.at(-1) ?? ''));
  if (option?.required) return valuesOf(option, assigned?.[2] ?? last).map((value) => `${assigned?.[1] ?? ''}${value}`);
  if (last.startsWith('-'))
    return begin(
      options.map((each) => line(each.long ?? '', each.description)),
      last,
    );
  const choices = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
  return begin([...command.commands.map((each) => line(each.name(), each.description())), ...choices], last);
}

const subcommand = (command: Command, word: string) => command.commands.find((each) => each.name() === word);

/** Names, behind those that stand in front of the last comma. */
function valuesOf(option: Option, text: string): readonly string[] {
  if (!(option instanceof NameOption)) return [];
  const done = text.slice(0, text.lastIndexOf(',') + 1);
  return begin(
    option.names.map((name) => `${done}${name}`),
    text,
  );
}

const begin = (lines: readonly string[], text: string) => lines.filter((each) => each.startsWith(text));

/** With as much of the help text as fits. */
const line = (value: string, help: string) => `${value}\t${help.replace(/[:(].*$/s, '').trim()}`;
