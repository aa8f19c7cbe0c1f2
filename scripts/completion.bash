# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of hvsh for bash: share/bash-completion/completions/hvsh. What can stand where is hvsh's own answer
# (hvsh complete-words); here are only bash's ways of cutting lines into words, and files.

_hvsh() {
	local IFS=$' \t\n' word rest=$COMP_LINE words=() index=0 i part line suffixes suffix sim=()
	COMPREPLY=()
	# Bash cuts words at "=" and ":", too: what stands together on the line is one word again.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $rest == [[:space:]]* || ${#words[@]} == 0 || $i == 0 ]]; then
			rest=${rest#"${rest%%[![:space:]]*}"}
			words+=("$word")
		else
			words[${#words[@]} - 1]+=$word
		fi
		rest=${rest#"$word"}
	done
	index=$((${#words[@]} - 1))
	words[index]=${words[index]//\\/}
	word=${words[index]}
	# Bash replaces only the part after the last place where it cuts.
	part=
	[[ $word != *[=:]* || $COMP_WORDBREAKS != *[=:]* ]] || part=${word%"${word##*[=:]}"}

	# The zones of a simulated machine are its own.
	for ((i = 1; i < index; i++)); do
		[[ ${words[i]} != --sim && ${words[i]} != --sim=* ]] || sim=("${words[i]}")
	done
	local program=${words[0]/#~\//$HOME/} replies=() candidate
	while IFS= read -r line; do
		case $line in
		:folders) _hvsh_files -d "${word#"$part"}" ;;
		:files) _hvsh_files -f "${word#"$part"}" ;;
		:files\ *)
			suffixes=${line#:files }
			for suffix in $suffixes; do _hvsh_files -f "${word#"$part"}" ".$suffix"; done
			_hvsh_files -d "${word#"$part"}"
			;;
		*)
			printf -v candidate %q "${line#"$part"}"
			COMPREPLY+=("$candidate")
			;;
		esac
	done < <("$program" "${sim[@]}" complete-words -- "$index" "${words[@]}" 2>/dev/null </dev/null)
	# After a folder the word goes on.
	if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then compopt -o nospace 2>/dev/null; fi
}

# _hvsh_files -f|-d BEGINNING [SUFFIX]: files or folders, added to COMPREPLY.
_hvsh_files() {
	local name
	while IFS= read -r name; do
		if [[ -d ${name/#\~\//$HOME/} ]]; then
			[[ $1 == -d || -z ${3-} ]] || continue
			name+=/
		elif [[ -n ${3-} && $name != *"$3" ]]; then
			continue
		fi
		printf -v name %q "$name"
		COMPREPLY+=("${name/#\\~/\~}")
	done < <(compgen "$1" -- "$2")
}

complete -F _hvsh hvsh
