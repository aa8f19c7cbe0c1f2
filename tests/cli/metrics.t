# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh metrics: every line by the rules of the text exposition format, and values that are those of the devices.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

# Reads a page; prints what is wrong with it, then NAME{LABELS} VALUE of each sample.
cat >parse.pl <<'PERL'
my (%help, %type, %seen, %last, %series, $current, $bad);
sub wrong { print "WRONG: line $.: @_: $_"; $bad++ }
my $text = do { local $/; <STDIN> };
print "WRONG: no end of line at the end\n" unless $text =~ /\n\z/;
print "WRONG: not UTF-8\n" unless utf8::decode(my $copy = $text);
my $float = qr/[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN/;
my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"/;
$. = 0;
for (split /^/, $text) {
	$.++;
	if (/^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)\n\z/) {
		my ($name, $text) = ($1, $2);
		wrong "a second HELP" if $help{$name}++;
		wrong "HELP after samples" if $seen{$name};
		wrong "a bare backslash" if $text =~ /\\(?![\\n])/;
		$current = $name;
	} elsif (/^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)\n\z/) {
		my ($name, $type) = ($1, $2);
		wrong "a second TYPE" if $type{$name};
		wrong "TYPE after samples" if $seen{$name};
		wrong "TYPE of another metric" if $name ne $current;
		wrong "a counter is called _total" if $type eq "counter" && $name !~ /_total$/;
		$type{$name} = $type;
	} elsif (/^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{($label(?:,$label)*)\})? ($float)\n\z/) {
		my ($name, $labels, $value) = ($1, $2 // "", $3);
		my $base = $name;
		$base =~ s/_(bucket|sum|count)$// if ($type{$base =~ s{_(bucket|sum|count)$}{}r} // "") eq "histogram";
		wrong "no HELP and TYPE before it" unless $help{$base} && $type{$base};
		wrong "samples of a metric stand apart" if $base ne $current;
		$seen{$base}++;
		wrong "the same series twice" if $series{"$name\{$labels}"}++;
		wrong "a counter below 0" if $type{$base} eq "counter" && $value < 0;
		if ($name =~ /_bucket$/) {
			my ($le) = $labels =~ /(?:^|,)le="([^"]*)"/ or wrong "no le";
			(my $rest = $labels) =~ s/,?le="[^"]*"//;
			wrong "le is no float" unless $le =~ /^$float$/;
			my $edge = $le eq "+Inf" ? 9e99 : $le;
			my $h = $last{"$base\{$rest}"} //= { le => -1, n => 0 };
			wrong "le does not grow" if $edge <= $h->{le};
			wrong "a bucket has less than the one before" if $value < $h->{n};
			@$h{qw(le n)} = ($edge, $value);
		} elsif ($type{$base} eq "histogram" && $name =~ /_count$/) {
			my $h = $last{"$base\{$labels}"};
			wrong "no +Inf" if $h->{le} != 9e99;
			wrong "count is not that of +Inf" if $h->{n} != $value;
		}
		print "$name\{$labels} $value\n";
	} else {
		wrong "no line of the format";
	}
}
print "lines: $., ", ($bad ? "$bad wrong" : "all right"), "\n";
PERL
page() {
	sim metrics
	is 0 "$1"
	printf '%s\n' "$out" | perl parse.pl >parsed
	out=$(cat parsed)
	out_lacks "WRONG" "every line is one of the format"
	out_has ", all right"
}
# value NAME{LABELS}
value() { sed -n "s/^$(printf '%s' "$1" | sed 's/[][\.*^$/]/\\&/g') //p" parsed; }

sim metrics
is 1 "without a service"
err_has "no service"
sim -d boot_zones.lua
is 0 "a service"
for ((i = 0; i < 300; i++)); do
	sim metrics
	[[ $out == *'hvsh_device_read_bytes_total{zone="linux1",device="root",type="blk"} 4096'* ]] && break
	sleep 0.1
done
page "metrics"
root='{zone="linux1",device="root",type="blk"}'
[ "$(value 'hvsh_zone_state{zone="linux1",id="1",state="running"}')" = 1 ] && [ "$(value 'hvsh_zone_state{zone="linux1",id="1",state="failed"}')" = 0 ]
tap $? "a zone is in one state"
for name in requests_total read_bytes_total written_bytes_total errors_total interrupts_total kicks_total latency_seconds_count latency_seconds_sum; do
	[ -n "$(value "hvsh_device_$name$root")" ]
	tap $? "hvsh_device_$name"
done
for name in hvsh_uptime_seconds hvsh_memory_bytes hvsh_bridge_registers_total hvsh_bridge_polling_seconds_total hvsh_cpu_seconds_total; do
	[ "$(value "$name{}")" != 0 ] && [ -n "$(value "$name{}")" ]
	tap $? "$name"
done
# A CPU that is held up between its request and the wake-up counts as one.
[ "$(value 'hvsh_bridge_lost_wakeups_total{}')" -lt 10 ]
tap $? "no wake-up was lost"
[ "$(value "hvsh_device_latency_seconds_count$root")" = "$(value "hvsh_device_requests_total$root")" ]
tap $? "each request of a disk has a latency"
perl -e 'exit !($ARGV[0] > 0 && $ARGV[0] < 60)' "$(value "hvsh_device_latency_seconds_sum$root")"
tap $? "their sum is in seconds"

before=$(value "hvsh_device_read_bytes_total$root")
for ((i = 0; i < 300; i++)); do
	printf 'sum 0 64K\r' | timeout 60 "$HVSH" --sim="$work/m" console linux1 >/dev/null 2>&1
	sim metrics
	printf '%s\n' "$out" | perl parse.pl >parsed
	[ "$(value "hvsh_device_read_bytes_total$root")" -ge $((before + 65536)) ] && break
	sleep 0.1
done
[ "$(value "hvsh_device_read_bytes_total$root")" -ge $((before + 65536)) ]
tap $? "what a guest reads is counted"
for ((i = 0; i < 300; i++)); do
	printf 'panic\r' | timeout 60 "$HVSH" --sim="$work/m" console linux2 >/dev/null 2>&1
	sim metrics
	printf '%s\n' "$out" | perl parse.pl >parsed
	[ "$(value 'hvsh_zone_state{zone="linux2",id="2",state="failed"}')" = 1 ] && break
	sleep 0.1
done
page "with a zone that has crashed"
[ "$(value 'hvsh_zone_state{zone="linux2",id="2",state="failed"}')" = 1 ]
tap $? "which shows"

sim metrics --json
is 0 "metrics --json"
printf '%s' "$out" >out.json
printf 'local o = assert(require("hvsh.json").decode(io.open("out.json"):read "a")) print(#o.devices, o.bridge.registers > 0, o.process.pid)' >expr.lua
service=$(perl -ne 'print $1 if /(\d+)/' m/lock)
run hvsh expr.lua
out_is "6	true	$service" "has the same"

# Names may hold what the format has to escape.
cat >escape.lua <<'LUA'
local sample = {
	process = {}, bridge = {polling_ns = 0}, devices = {},
	zones = {{id = 1, name = 'a "zone" \\ with\nall', state = "running"}},
}
io.write(require("hvsh.command.metrics").text(sample))
LUA
run hvsh escape.lua
out_has 'hvsh_zone_state{zone="a \"zone\" \\ with\nall",id="1",state="running"} 1' "labels are escaped"
printf '%s\n' "$out" | perl parse.pl >parsed
out=$(cat parsed)
out_lacks WRONG "and can be read"
sim stop
is 0
finish
