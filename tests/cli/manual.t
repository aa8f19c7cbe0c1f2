# SPDX-License-Identifier: GPL-2.0-or-later
# The messages that docs/troubleshooting.md explains are those that the program has.
. tests/lib/tap.sh

cat >"$work/messages.pl" <<'P'
# Prints the headings whose words, between the …, are in no string of the source; and how many headings there are.
use strict; use warnings; use utf8; use open qw(:std :utf8);
my $text = '';
for my $file (split /\n/, `find core lua -name '*.c' -o -name '*.lua'`) {
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	my $source = <$in>;
	# One C string may be written in pieces, with a PRI macro between them.
	if ($file =~ /\.c$/) {
		$source =~ s/"\s*PRI\w+\s*"/u/g;
		$source =~ s/"\s*"//g;
	}
	$source =~ s/%[-+ #0]*[0-9.*]*(?:hh|h|ll|l|z|j)?[a-zA-Z]/\x{1}/g;
	$text .= $source;
}
my $n = 0;
open my $in, '<', 'docs/troubleshooting.md' or die;
while (<$in>) {
	next unless /^### `(.*)`$/;
	my $heading = $1;
	$n++;
	for my $piece (split /…/, $heading) {
		$piece =~ s/^\s+|\s+$//g;
		print "$heading\n" and last if length $piece > 2 && index($text, $piece) < 0;
	}
}
print "$n\n";
P
run perl "$work/messages.pl"
is 0 "the page is read"
n=${out##*$'\n'}
out=${out%"$n"}
out_is "" "every message it explains is one of the program's"
[ "$n" -ge 25 ]
tap $? "and there are many"
finish
