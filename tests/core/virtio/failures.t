# SPDX-License-Identifier: GPL-2.0-or-later
# docs/failures.md: an I/O thread's file that begins to call what it does not name is found here, before a device meets the
# failure that nobody thought of.
. tests/lib/tap.sh

page=docs/failures.md
# What cannot fail, or is the compiler's.
harmless='^(mem|bcmp|str[^d]|str$|pthread_(mutex|cond|rwlock|join|sigmask|setname|self)|sem_|sched_yield|clock_gettime|free$)'
harmless+='|^(v?s?n?printf|sscanf|fscanf|sigaddset|sigemptyset|cfmakeraw|crc32|deflate|qsort)'
harmless+='|^__(errno_location|isoc(99|23)_(s?f?scanf|strto[a-z]*)|stack_chk|u?divti3|u?modti3|[a-z]*_chk$|asan|ubsan|tsan|sanitizer|memcpy_chk|tls_get)'
harmless+='|^(_GLOBAL_OFFSET|__tls|aarch64|__aarch64|stderr)'

# By file: what its row names.
declare -A named
while IFS='|' read -r _ list threads main _; do
	for file in ${list//\`/}; do
		named[$file]+=" $threads $main "
	done
done < <(sed -n '/^## Who calls what/,$p' "$page" | grep '^| `')

# The objects' own functions.
nm -A "$HVSH_BUILD/libhvcore.a" 2>/dev/null | awk '$(NF-1) ~ /^[TDBRVW]$/ { print $NF }' | sort -u >"$work/ours"
unnamed= files=0 calls=
for object in "$HVSH_BUILD"/core/virtio/*.o "$HVSH_BUILD"/core/virtio/dev/*.o; do
	file=${object#"$HVSH_BUILD/core/virtio/"} file=${file%.o}
	[ -f "core/virtio/$file.c" ] || continue
	files=$((files + 1))
	for call in $(nm -u "$object" | awk '{ print $NF }' | sort -u | comm -23 - "$work/ours" | grep -Ev "$harmless"); do
		[[ ${named[$file]-} == *" $call "* || ${named[$file]-} == *" anything "* ]] || unnamed+=" $file:$call"
	done
done
[ "$files" -gt 20 ] && [ -z "$unnamed" ]
code=$? out="$files objects" err="called, but not named in $page:$unnamed"
tap $code "each call of a file is named"

lost=
while IFS='|' read -r _ list threads main _; do
	for call in $threads ${main/anything/}; do
		found=
		for file in ${list//\`/}; do
			grep -qE "\b$call\(" "core/virtio/$file.c" && found=1
		done
		# Behind an inline function of liburing.
		[ -n "$found" ] || [ "$call" = __io_uring_get_cqe ] || lost+=" ${list// /}$call"
	done
	calls+=" $threads"
done < <(sed -n '/^## Who calls what/,$p' "$page" | grep '^| `')
[ -n "$calls" ] && [ -z "$lost" ]
code=$? out=$calls err="named, but not called:$lost"
tap $code "each call that is named is made"

# What comes of it when one of a thread's calls fails, and the test that looks.
rows=$(sed -n '/^## Calls/,/^## Who/p' "$page" | grep '^| ' | grep -v '^| call')
open=
for call in $(printf '%s\n' $calls | sort -u); do
	case $call in
	io_uring_free_probe) continue ;;
	esac
	cut -d'|' -f2 <<<"$rows" | grep -q "\`$call\`" || open+=" $call"
done
[ -n "$rows" ] && [ -z "$open" ]
code=$? out= err="no row says what comes of it:$open"
tap $code "what comes of each call of a thread is said"

never=
for call in $(printf '%s\n' $calls | sort -u); do
	case $call in
	# They have no effect, or none but that of another call.
	close | io_uring_free_probe | io_uring_queue_exit | io_uring_ring_dontfork | __io_uring_get_cqe) continue ;;
	# Only from what stands for the card.
	recvfrom) continue ;;
	esac
	case $call in
	# An eventfd's are armed by themselves, and memory with an alignment as memory.
	read | write) armed="SF_(event_)?$call" ;;
	*) armed=SF_$call ;;
	esac
	grep -qE "\b$armed\b" tests/core/virtio/test_faults_*.c || never+=" $call"
done
[ -z "$never" ]
code=$? out= err="never made to fail by tests/core/virtio/test_faults_*.c:$never"
tap $code "each of them is made to fail"

lost=
for name in $(grep -oE '\b[a-z_]+:[a-z0-9_]+' <<<"$rows" | sort -u); do
	grep -qsE "(TEST|cmocka_unit_test[a-z_]*)\((test_)?${name#*:}[,)]" "tests/core/virtio/test_${name%%:*}.c" || lost+=" $name"
done
bare=$(grep -vE '\b[a-z_]+:[a-z0-9_]+ \|$' <<<"$rows" || true)
[ -z "$lost$bare" ]
code=$? out=$bare err="tests that are not there:$lost"
tap $code "each row has its tests"
finish
