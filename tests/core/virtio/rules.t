# SPDX-License-Identifier: GPL-2.0-or-later
# docs/hostile-guest.md names a test for each rule: each of them is there and is run.
. tests/lib/tap.sh

page=docs/hostile-guest.md
named=$(grep -oE '(guest/)?[a-z_]+:[a-z0-9_]+' "$page" | grep -v '^a:b$' | sort -u)
lost=
for name in $named; do
	folder=virtio file=${name%%:*} test=${name#*:}
	[ "${file#guest/}" = "$file" ] || folder=guest
	grep -qsE "cmocka_unit_test[a-z_]*\((test_)?$test[,)]|TEST\((test_)?$test\)|^static void (test_)?$test\(void \*\*" \
		"tests/core/$folder/test_${file#guest/}.c" || lost+=" $name"
done
for name in $(grep -oE 'fuzz_[a-z]+' "$page" | grep -v 'fuzz_x' | sort -u); do
	[ -s "tests/fuzz/$name.c" ] && [ -n "$(ls "tests/fuzz/corpus/${name#fuzz_}")" ] || lost+=" $name"
done
[ -n "$named" ] && [ -z "$lost" ]
code=$? out=$named err="named, but not there:$lost"
tap $code "every test the page names is there"
bare=$(grep -E '^\| ' "$page" | grep -vE '^\| rule|:[a-z]|fuzz_|\.t \|$' || true)
[ -z "$bare" ]
code=$? out= err="without a test: $bare"
tap $code "every rule has a test"
finish
