package main

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/urfave/cli/v2"
)

const bashCompletion = `_pemba() {
  local words="${COMP_WORDS[@]:0:$COMP_CWORD}"
  local current="${COMP_WORDS[$COMP_CWORD]}"
  if [[ "$current" == -* ]]; then words="$words $current"; fi
  COMPREPLY=($(compgen -o default -W "$(eval "$words" --generate-bash-completion 2>/dev/null | cut -d: -f1)" -- "$current"))
}
complete -o default -F _pemba pemba
`

const zshCompletion = `#compdef pemba
_pemba() {
  local -a found
  local current="${words[-1]}"
  if [[ "$current" == -* ]]; then
    found=("${(@f)$(${words[1,-2]} "$current" --generate-bash-completion 2>/dev/null)}")
  else
    found=("${(@f)$(${words[1,-2]} --generate-bash-completion 2>/dev/null)}")
  fi
  if [[ -n "${found[1]}" ]]; then _describe 'command' found; else _files; fi
}
compdef _pemba pemba
`

func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print the completion of a shell", ArgsUsage: "bash|zsh|fish",
		Description: "source <(pemba completion bash)",
		Action: func(c *cli.Context) error {
			args, err := arguments(c, "SHELL")
			if err != nil {
				return err
			}
			text := ""
			switch args[0] {
			case "bash":
				text = bashCompletion
			case "zsh":
				text = zshCompletion
			case "fish":
				if text, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
			default:
				return &usageError{command: commandPath(c), message: fmt.Sprintf("%q is no shell that is known: bash, zsh or fish", args[0]),
					suggestion: source.DidYouMean(args[0], []string{"bash", "zsh", "fish"})}
			}
			_, err = fmt.Fprint(c.App.Writer, text)
			return err
		},
	}
}
