# SPDX-License-Identifier: GPL-2.0-or-later
# Completion in bash: what the function offers for a line, and once at a prompt, by the Tab key.
. tests/lib/tap.sh
source=$PWD
. "$source/scripts/completion.bash"
complete -p hvsh >"$work/.out" 2>&1
tap $? "bash knows the function"
. "$HVSH_TESTS/lib/examples.sh"
. "$source/tests/lib/terminal.sh"
trap 'T kill-server 2>/dev/null; "$HVSH" --sim=m stop linux1 linux2 >/dev/null 2>&1; rm -rf "$work"' EXIT
export PATH=$work/bin:$PATH
mkdir "$work/bin"
ln -s "$HVSH" "$work/bin/hvsh"

# completes LINE: what is offered at its end, in $out. Cuts words as bash does, at blanks and around = and :.
completes() {
	local rest=$1 word COMP_WORDS=() COMP_CWORD COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=() COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
	while [[ $rest =~ ^\ *([=:]+|[^=:\ ]+)(.*)$ ]]; do
		COMP_WORDS+=("${BASH_REMATCH[1]}")
		rest=${BASH_REMATCH[2]}
	done
	[[ $1 != *[\ =:] ]] || COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	code=0 err=
	_hvsh 2>"$work/.err" || code=$?
	err=$(cat "$work/.err")
	out="${COMPREPLY[*]}"
}
offers() { # LINE WORDS [WHAT]
	completes "$1"
	out_is "$2" "${3:-$1: $2}"
}

# ---- commands and options, each that help shows

commands=$("$HVSH" help | sed -n '/^Commands/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p')
[ "$(wc -w <<<"$commands")" -gt 10 ]
tap $? "help lists commands"
completes "hvsh "
for command in $commands; do
	[[ " $out " == *" $command "* ]] || missing+=" $command"
done
[ -z "${missing:-}" ]
tap $? "every command of help is offered${missing:+; missing:$missing}"
out_lacks "complete-words" "what is not for people is not offered"
missing=
for command in $commands; do
	completes "hvsh $command -"
	for option in $("$HVSH" help "$command" | head -1 | grep -oE '\[-[a-z-]+' | tr -d '['); do
		[[ " $out " == *" $option "* ]] || missing+=" $command:$option"
	done
	[[ " $out " == *" --sim "* ]] || missing+=" $command:--sim"
done
[ -z "$missing" ]
tap $? "every option of every command is offered${missing:+; missing:$missing}"
offers "hvsh che" "check"
offers "hvsh --col" "--color"
offers "hvsh list --js" "--json"
offers "hvsh hel" "help"
offers "hvsh help deco" "decode"
offers "hvsh help lua zones.pl" "zones.plan"
offers "hvsh dt pass" "passthrough"
offers "hvsh export mi" "microkit"

# ---- values: each that is offered is one that hvsh takes

for option in --abi --arch --log --color; do
	completes "hvsh $option "
	[ -n "$out" ]
	tap $? "$option has values"
	for value in $out; do
		run hvsh "$option" "$value" --version
		is 0 "$option $value"
	done
done
offers "hvsh --arch=risc" "riscv64" "after the = only the value is replaced"
offers "hvsh --board qemu_virt_" "qemu_virt_gicv2"
offers "hvsh encode x.lua --abi 5" "5A 5B"

# ---- files

mkdir "a folder" && touch "a folder/my zones.lua"
offers "hvsh check boot" "boot_zones.lua"
offers "hvsh boot" "boot_zones.lua" "a script to run"
offers "hvsh check ima" "images/" "folders on the way"
offers "hvsh dt show images/linux1." "images/linux1.dtb" "trees"
offers "hvsh import imported/v" "imported/virtio.json" "JSON files"
offers "hvsh plan images/linux1.d" "" "no other files where a script belongs"
offers "hvsh decode images/Im" "images/Image" "any file"
completes "hvsh export hvisor boot_zones.lua im"
out_has "images/" "a folder to write to"
offers "hvsh check a" "a\\ folder/" "blanks are quoted"

# ---- zones and devices of the service, and only of the machine that is meant

run hvsh -d --sim=m boot_zones.lua
is 0 "a service"
offers "hvsh --sim=m stop l" "linux1 linux2"
offers "hvsh --sim=m stop linux1 l" "linux1 linux2" "one after the other"
offers "hvsh --sim=m console linux" "linux1 linux1/hvc0 linux2 linux2/hvc0" "consoles, not disks"
offers "hvsh --sim=m restart boot_zones.lua linux2" "linux2" "zones after a script"
offers "hvsh --sim=other stop l" "" "another machine has none"

# ---- by a person

T new-session -d -x 100 -y 20 "env PS1='> ' bash --norc --noprofile -i"
sees ">"
type_line ". $source/scripts/completion.bash"
T send-keys -l "hvsh --sim=m lis"
T send-keys Tab
sees "hvsh --sim=m list" "Tab completes a command"
T send-keys Enter
sees "linux2/root"
T send-keys -l "hvsh --sim=m console linux2/h"
T send-keys Tab
sees "linux2/hvc0" "and a device"
finish
