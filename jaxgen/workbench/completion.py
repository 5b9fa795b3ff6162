"""Completion of the command line by the shell: the names of the recipes, and the flags of each."""

from __future__ import annotations

COMPLETION = r"""# eval "$(python -m experiments completion)", in bash or zsh
[ -z "$ZSH_VERSION" ] || { autoload -Uz compinit bashcompinit && compinit && bashcompinit; }
_jaxgen_experiments() {
  local python=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} name=${COMP_WORDS[3]} offers=
  COMPREPLY=()
  [ "${COMP_WORDS[1]} ${COMP_WORDS[2]}" = "-m experiments" ] || return
  if [ "$COMP_CWORD" = 3 ]; then
    offers="compare $("$python" -m experiments 2>/dev/null | cut -d' ' -f1)"
  elif [ "${word#-}" != "$word" ]; then
    offers=$("$python" -m experiments "$name" --help 2>/dev/null | grep -o -e '--[a-z][a-z-]*')
  fi
  COMPREPLY=($(compgen -W "$offers" -- "$word"))
}
complete -o bashdefault -o default -F _jaxgen_experiments python python3
"""
"""Asks the recipes themselves at each Tab, so that it has what a clone of today has. Any other call
of Python completes files, as does a flag's value."""
