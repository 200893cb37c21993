/** Writes completion scripts for bash, zsh and fish. Pure: commands in, text out. */

/** Describes what may follow a command such as `peers enable`; the path '' is the program itself. */
export interface Completions {
  readonly path: string;
  /** Commands and options. */
  readonly words: readonly Word[];
  /** Options that take a value, by their short and long names. */
  readonly options: ReadonlyMap<string, Values>;
  /** Operands in order. */
  readonly operands: readonly Values[];
}

export interface Word {
  readonly text: string;
  /** An option's short name, such as `-f`. */
  readonly short?: string;
  readonly description: string;
}

/** Describes the values of an option or operand: fixed words, values that the daemon is asked for, or anything (files). */
export type Values =
  | { readonly type: 'words'; readonly words: readonly string[] }
  | { readonly type: 'asked'; readonly kind: string }
  | { readonly type: 'free' };

/** Lists the options that address the daemon. Scripts pass them on when they ask the daemon for values. */
const CONNECTION = ['--api', '--token', '--cacert', '--cert', '--key'];

/**
 * Returns shell functions for both bash and zsh: they list the words that may follow, recognize commands, and name the values
 * of an option or operand (by its number): `@kind`, words, or `-` for anything.
 */
function sharedFunctions(completions: readonly Completions[]): string {
  const words = completions.map(
    (one) => `    '${one.path}') echo '${one.words.map(({ text }) => text).join(' ')}' ;;`,
  );
  const known = completions.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  const takes = completions.flatMap(({ path, options, operands }) =>
    [...options, ...operands.entries()].map(
      ([key, values]) => `    '${path} ${key}') echo '${encoded(values)}' ;;`,
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
# Reads the words before the cursor and sets: at (the command), option (the option that needs a value), operands (their
# number) and connection (the options that address the daemon).
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
# Prints one value per line. $1 is the program, $2 the word at the cursor.
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

function encoded(values: Values): string {
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
 * Returns the script for bash. Bash splits words at colons, so the script reads the whole line. It never expands values from
 * the daemon: `compgen -W` would run a `$(command)` in a customer's name.
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

/** Returns values as arguments of fish's `complete`; `-f` keeps it from offering files. */
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
