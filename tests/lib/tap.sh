# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by tests/**/*.t. Each check is one TAP line; `finish` ends the file.
#   run hvsh check x.lua      runs "$HVSH" check x.lua: $out, $err, $code
#   is CODE "what"            the exit code was CODE
#   out_has TEXT "what"; err_has TEXT "what"; out_lacks; err_lacks; out_is TEXT; same FILE FILE
tap_n=0
tap_failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tap() {
	tap_n=$((tap_n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $tap_n - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_n - $2"
		# On stderr, which prove shows: a failure that comes once must not need a second run.
		printf '%s\n' "$2: exit $code" "stdout: $out" "stderr: $err" | head -c 6000 | sed 's/^/# /' >&2
	fi
}

run() {
	local program=$1
	shift
	[ "$program" = hvsh ] && program=$HVSH
	code=0
	"$program" "$@" >"$work/.out" 2>"$work/.err" </dev/null || code=$?
	out=$(cat "$work/.out")
	err=$(cat "$work/.err")
}

# bounded SECONDS COMMAND...: becomes COMMAND, which is killed after that time. Unlike with timeout(1)
# the process is COMMAND's own, and gets what is sent to it.
bounded() {
	exec perl -e 'my $seconds = shift; my $self = $$;
		if (!fork) {
			open STDIN, "</dev/null"; open STDOUT, ">/dev/null"; open STDERR, ">/dev/null";
			while ($seconds-- > 0 && getppid == $self) { sleep 1 }
			kill KILL => $self if getppid == $self;
			exit;
		}
		exec @ARGV or die "$ARGV[0]: $!"' "$@"
}

# stop_held LOCK...: ends whose locks are held. The file stays behind, with a pid that may be anybody's by then.
stop_held() {
	local lock
	for lock; do
		[ ! -e "$lock" ] || flock -n "$lock" true || kill "$(cat "$lock")" 2>/dev/null
	done
}

is() { [ "$code" = "$1" ]; tap $? "$2"; }
out_has() { [[ $out == *"$1"* ]]; tap $? "${2:-prints $1}"; }
err_has() { [[ $err == *"$1"* ]]; tap $? "${2:-says $1}"; }
out_lacks() { [[ $out != *"$1"* ]]; tap $? "${2:-does not print $1}"; }
err_lacks() { [[ $err != *"$1"* ]]; tap $? "${2:-does not say $1}"; }
out_is() { [ "$out" = "$1" ]; tap $? "${2:-prints exactly that}"; }
same() { cmp -s "$1" "$2"; tap $? "${3:-$1 and $2 are the same}"; }

finish() {
	echo "1..$tap_n"
	[ "$tap_failed" = 0 ]
	exit
}
