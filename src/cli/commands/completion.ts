import { Argument } from 'commander';
import { print } from '../terminal/output.js';
import type { Verb } from '../verbs.js';

/** Declares `chrootfile completion`. */
export const verb: Verb = (program) => {
  program
    .command('completion')
    .description('print a shell completion script: tasks, inputs, runs and options')
    .addArgument(new Argument('<shell>').choices(Object.keys(scripts)))
    .addHelpText('after', '\nExamples:\n  source <(chrootfile completion bash)\n  chrootfile completion fish > ~/.config/fish/completions/chrootfile.fish')
    .action(completion);
};

/** Scripts that complete by asking the program itself: it knows recipes, inputs and runs. */
const scripts = {
  bash: `_chrootfile() {
  local line=\${COMP_LINE:0:COMP_POINT} words value text action
  # Without -r: a backslash quotes a blank in a name.
  read -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  # bash splits words at "=" too, and replaces only what follows the last one.
  local current=\${words[-1]} cut=""
  [[ $current == *=* ]] && cut=\${current%"\${current##*=}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r value text; do
    if [[ $value == :* ]]; then
      compopt -o filenames
      [[ $value == :folders ]] && action=-d || action=-f
      # bash marks folders only where it is itself.
      while IFS= read -r value; do
        [[ -n $text && -d $text/$value ]] && value+=/
        COMPREPLY+=("$value")
      done < <(cd -- "\${text:-.}" && compgen "$action" -- "$current")
    elif [[ $value == "$current"* ]]; then
      COMPREPLY+=("\${value#"$cut"}")
    fi
  done < <("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace
  return 0
}
complete -F _chrootfile chrootfile`,
  zsh: `#compdef chrootfile
_chrootfile() {
  local -a found
  local value text line
  while IFS= read -r line; do
    value=\${line%%$'\\t'*} text=\${line#*$'\\t'}
    if [[ $value == :files ]]; then _files \${text:+-W} \${text:+$text}
    elif [[ $value == :folders ]]; then _files -/ \${text:+-W} \${text:+$text}
    elif [[ $value == *= ]]; then compadd -S '' -- "$value"
    else found+=("\${value//:/\\\\:}:$text")
    fi
  done < <("\${words[1]}" complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe -t values 'chrootfile' found
  return 0
}
# Sourced, or loaded by its name from a folder of fpath.
if [[ $funcstack[1] == _chrootfile ]]; then _chrootfile; else compdef _chrootfile chrootfile; fi`,
  fish: `function __chrootfile_complete
  set -l words (commandline -opc) (commandline -ct)
  for line in (command $words[1] complete -- $words[2..] 2>/dev/null)
    set -l parts (string split \\t -- $line)
    if test "$parts[1]" = :folders -o "$parts[1]" = :files
      # Names are those of the folder that -C names, if it does.
      set -l here $PWD
      test -n "$parts[2]" && builtin cd $parts[2]
      if test "$parts[1]" = :files
        __fish_complete_path (commandline -ct)
      else
        __fish_complete_directories (commandline -ct) ''
      end
      builtin cd $here
    else
      echo $line
    end
  end
end
complete -c chrootfile -f -a '(__chrootfile_complete)'`,
} as const;

/** `chrootfile completion`: a script for a shell to source. */
function completion(shell: keyof typeof scripts): void {
  print(scripts[shell]);
}
