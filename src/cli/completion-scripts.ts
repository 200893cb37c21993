/** The scripts that shells read. Pure: commands in, text out. */

/** What may follow a path of commands such as `peers enable`; '' is the program itself. */
export interface Completions {
  readonly path: string;
  /** Commands and options. */
  readonly words: readonly Word[];
  /** Options that take a value, in both spellings. */
  readonly options: ReadonlyMap<string, Values>;
  /** Operands in their order. */
  readonly operands: readonly Values[];
}

export interface Word {
  readonly text: string;
  /** The short spelling of an option, such as `-f`. */
  readonly short?: string;
  readonly description: string;
}

/** Words that are known beforehand, values of a kind that the daemon is asked for, or anything: files are offered. */
export type Values =
  | { readonly type: 'words'; readonly words: readonly string[] }
  | { readonly type: 'asked'; readonly kind: string }
  | { readonly type: 'free' };

/** Options that say where the daemon is. They are passed on when it is asked. */
const CONNECTION = ['--api', '--token', '--cacert', '--cert', '--key'];

/**
 * Understood by bash and zsh alike: which words may follow, whether there is such a command, and which values an option or
 * an operand (by its number) takes: `@kind`, words, or `-` for anything.
 */
function sharedFunctions(completions: readonly Completions[]): string {
  const words = completions.map(
    (one) => `    '${one.path}') echo '${one.words.map(({ text }) => text).join(' ')}' ;;`,
  );
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  const takes = completions.flatMap(({ path, options, operands }) =>
    [...options, ...operands.entries()].map(
      ([key, values]) => `    '${path} ${key}') echo '${coded(values)}' ;;`,
    ),
  );
  return `_prefixd_words() {
  case "$1" in
${words.join('\n')}
  esac
}
_prefixd_takes() {
  case "$1" in
${takes.join('\n')}
  esac
}
_prefixd_is_command() {
  case "$1" in
    ${known.join('|')}) return 0 ;;
  esac
  return 1
}
# Reads the words before the one that is typed into: at (command), option (that waits for its value), operands (how many)
# and connection (options that say where the daemon is).
_prefixd_read() {
  local word
  at='' option='' operands=0 connection=()
  for word in "$@"; do
    if [ -n "$option" ]; then
      case "$option" in
        ${CONNECTION.join('|')}) connection+=("$option" "$word") ;;
      esac
      option=''
      continue
    fi
    case "$word" in
      ${CONNECTION.map((option) => `${option}=*`).join('|')}) connection+=("$word") ;;
      -*) if [ -n "$(_prefixd_takes "$at $word")" ]; then option=$word; fi ;;
      *)
        if _prefixd_is_command "$at\${at:+ }$word"; then
          at="$at\${at:+ }$word" operands=0
        else
          operands=$((operands + 1))
        fi
        ;;
    esac
  done
}
# Prints a value a line. The program is $1, the word that is typed $2.
_prefixd_values() {
  local takes
  if [ -n "$option" ]; then
    takes=$(_prefixd_takes "$at $option")
  else
    case "$2" in
      -*) return ;;
    esac
    takes=$(_prefixd_takes "$at $operands")
  fi
  case "$takes" in
    @*) "$1" "\${connection[@]}" complete "\${takes#@}" 2>/dev/null | cut -f 1 ;;
    -|'') ;;
    *) printf '%s\\n' "$takes" | tr ' ' '\\n' ;;
  esac
}
`;
}

function coded(values: Values): string {
  switch (values.type) {
    case 'words':
      return values.words.join(' ');
    case 'asked':
      return `@${values.kind}`;
    case 'free':
      return '-';
  }
}

/**
 * Bash cuts words at colons, so the line is read as a whole. Nothing that the daemon says is expanded: `compgen -W` would
 * run a `$(command)` in the name of a customer.
 */
export function bashScript(completions: readonly Completions[]): string {
  return `# prefixd completion bash > /etc/bash_completion.d/prefixd
${sharedFunctions(completions)}_prefixd() {
  local at option operands line before='' current='' word
  local -a connection
  read -ra line <<< "\${COMP_LINE:0:COMP_POINT}"
  case "\${COMP_LINE:0:COMP_POINT}" in
    *[[:space:]]) ;;
    *) current=\${line[\${#line[@]} - 1]}; unset "line[\${#line[@]} - 1]" ;;
  esac
  _prefixd_read "\${line[@]:1}"
  case "$COMP_WORDBREAKS$current" in
    *:*:*) before=\${current%"\${current##*:}"} ;;
  esac
  COMPREPLY=()
  while IFS= read -r word; do
    if [ -n "$word" ] && [ "\${word#"$current"}" != "$word" -o -z "$current" ]; then
      word=$(printf '%q' "$word")
      COMPREPLY+=("\${word#"$before"}")
    fi
  done < <(
    _prefixd_values "\${line[0]}" "$current"
    if [ -z "$option" ]; then _prefixd_words "$at" | tr ' ' '\\n'; fi
  )
}
complete -o default -F _prefixd prefixd
`;
}

export function zshScript(completions: readonly Completions[]): string {
  return `#compdef prefixd
# prefixd completion zsh > "\${fpath[1]}/_prefixd"
${sharedFunctions(completions)}_prefixd() {
  local at option operands
  local -a connection
  _prefixd_read "\${(@)words[2,CURRENT-1]}"
  compadd -- "\${(@f)$(_prefixd_values "\${words[1]}" "\${words[CURRENT]}")}"
  if [ -z "$option" ]; then compadd -- \${=$(_prefixd_words "$at")}; fi
  _files
}
if [ "$funcstack[1]" = "_prefixd" ]; then _prefixd "$@"; else compdef _prefixd prefixd; fi
`;
}

export function fishScript(completions: readonly Completions[]): string {
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  const lines = completions.flatMap(({ path, words, options, operands }) => {
    const here = `complete -c prefixd -n "string match -q -- '${path}' (__prefixd_at)"`;
    const offered = words.map(({ text, short, description }) => {
      if (!text.startsWith('--')) return `${here} -a ${text} -d '${quoted(description)}'`;
      const values = options.get(text);
      const value = values === undefined ? '' : ` -r${fishValues(values)}`;
      const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
      return `${here} -l ${text.slice(2)}${letter}${value} -d '${quoted(description)}'`;
    });
    const values = operands.map(fishValues).filter((one) => one !== '');
    return [...offered, ...values.map((one) => `${here}${one}`)];
  });
  return `# prefixd completion fish > ~/.config/fish/completions/prefixd.fish
function __prefixd_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$at $word")
    if contains -- $next ${known.join(' ')}
      set at $next
    end
  end
  echo "$at"
end
function __prefixd_values
  set -l words (commandline -opc)
  set -l connection
  for i in (seq 2 (count $words))
    if contains -- $words[$i] ${CONNECTION.join(' ')}
      set -a connection $words[$i] $words[(math $i + 1)]
    end
  end
  $words[1] $connection complete $argv[1] 2>/dev/null
end
${lines.join('\n')}
`;
}

/** Values as an argument of fish's `complete`; files are no answer where there are some. */
function fishValues(values: Values): string {
  switch (values.type) {
    case 'words':
      return ` -f -a '${values.words.join(' ')}'`;
    case 'asked':
      return ` -f -a '(__prefixd_values ${values.kind})'`;
    case 'free':
      return '';
  }
}

function quoted(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
