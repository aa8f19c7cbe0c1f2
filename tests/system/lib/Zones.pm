# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests do with zones of boot_zones.lua on a Machine.
package Zones;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(serve lives life serve_only serve_script in_zone service_log service_pid);

# Starts the service with those zones and returns when each has come up.
sub serve {
	my ($m, @zones) = @_;
	serve_only($m, @zones);
	life($m, $_, 1) for @zones;
}

# Starts the service, and waits until it says that it serves.
sub serve_only {
	my ($m, @zones) = @_;
	serve_script($m, 'boot_zones.lua', @zones);
}

sub serve_script {
	my ($m, $script, @zones) = @_;
	$m->{ask} = ['hvsh list', 'tail -n 20 /run/service.log', (map { "tail -n 15 /run/$_.log" } @zones), 'dmesg | tail -n 5'];
	$m->must("HVSH_ZONES='@zones' hvsh $script </dev/null >/run/service.log 2>&1 & echo \$! >/run/service.pid");
	$m->until_says('cat /run/service.log; kill -0 $(cat /run/service.pid) || echo it has ended',
		qr/serving|it has ended/, 60, 'the service');
	my $log = service_log($m);
	$m->fail_now("the service ended:\n$log") if $log !~ /serving/;
}

sub service_log { $_[0]->must('cat /run/service.log') }
sub service_pid { $_[0]->must('cat /run/service.pid') }

# How often a zone has come up until now.
sub lives {
	my ($m, $zone) = @_;
	return $m->must("grep -ac '$zone is up: ' /run/$zone.log || true");
}

# Waits until it has come up so many times.
sub life {
	my ($m, $zone, $count) = @_;
	$m->until_says("grep -ac '$zone is up: ' /run/$zone.log", qr/^$count$/, 120, "$zone to come up (time $count)");
}

# Runs do->() with the line in the zone's shell: $m->run and $m->must are its commands then.
sub in_zone {
	my ($m, $zone, $do) = @_;
	$m->type("hvsh console --back 0 $zone/hvc0\n");
	$m->expect(qr/attached \(Ctrl-\] ends\)/, 30, "$zone\'s console");
	# What is typed before the terminal is raw does not reach the zone. There is no prompt when this is not the first time.
	for (1 .. 30) {
		$m->type("\necho he''re\n");
		last if $m->sees(qr/^here\n/m, 1, "$zone\'s shell");
	}
	$m->type("stty -echo -onlcr; PS1= PS2=; export TERM=dumb; echo re''ady\n");
	$m->expect(qr/^ready\n/m, 30, "$zone\'s shell");
	my @result = $do->();
	$m->type("\x1d");
	$m->expect(qr/detached|ended/, 30, "the end of $zone\'s console");
	return wantarray ? @result : $result[0];
}

1;
