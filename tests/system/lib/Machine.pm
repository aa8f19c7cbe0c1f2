# SPDX-License-Identifier: GPL-2.0-or-later
# A machine in QEMU, driven over its serial line: boots the hypervisor and zone0, types, waits for what must come,
# writes all of it to the transcript. Everything that waits has a bound; when one is passed, or the test file as
# a whole takes too long, the last lines are printed, the test ends and QEMU with it.
#
#   my $m = Machine->boot(name => "zones");
#   my $text = $m->must("hvsh list");              # a command in zone0; dies unless its exit status is 0
#   my ($status, $text) = $m->run("hvsh list");
#   $m->console("linux1/hvc0", sub { $m->must("uname -r") });   # the same commands, in a zone
#   my $ppm = $m->display;        # what zone0's graphics card shows: boot(display => [1280, 800]) puts one in
#   $m->finish;                   # zone0's kernel has nothing to complain of; ends QEMU and the test
#
# Environment: HVSH_SYSTEM (the folder of images.sh), HVSH_HYPERVISOR (minivisor.bin), HVISOR (a real hvisor's binary
# instead, with HVSH_GROUPSTUB), HVSH_SLOW (a factor for all bounds: a machine that is busy or slow).
package Machine;
use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use IO::Handle;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(time);
use Test::More ();

my $slow = $ENV{HVSH_SLOW} || 1;
my %running;

# The whole of one test file. The run of all of them has its own bound (run.sh).
use constant FILE_BOUND => 420;

sub boot {
	my ($class, %opt) = @_;
	my $dir = $ENV{HVSH_SYSTEM} or die "HVSH_SYSTEM is not set: run scripts/system/run.sh\n";
	my $self = bless {
		name => $opt{name}, dir => $dir, received => '', scanned => 0, count => 0, outgoing => '',
		bound => ($opt{bound} // FILE_BOUND) * $slow,
	}, $class;
	$self->{end} = time + $self->{bound};

	open $self->{transcript}, '+<', "$dir/transcript.txt" or open $self->{transcript}, '+>', "$dir/transcript.txt"
		or die "$dir/transcript.txt: $!\n";
	seek $self->{transcript}, 0, 2;
	$self->{transcript}->autoflush(1);
	print { $self->{transcript} } "\n======== $opt{name}\n";

	$self->{work} = "$dir/run";
	mkdir $self->{work};
	$self->start_qemu($self->qemu_command(%opt, line => [qw(-display none -monitor none -serial stdio)]));
	$self->expect(qr/zone0 is up: [^\n]*\n/, 120, "zone0's shell");
	$self->expect(qr/# /, 30, "zone0's prompt");
	# Prompts and echo would stand between the answers.
	$self->type("stty -echo -onlcr; PS1= PS2=; export NO_COLOR=1 TERM=dumb; dmesg -n 1; echo re''ady\n");
	$self->expect(qr/^ready\n/m, 30, "a shell without echo");
	return $self;
}

sub qemu_command {
	my ($self, %opt) = @_;
	my ($dir, $work) = @$self{qw(dir work)};
	# A busy host lets virtual CPUs stand still for seconds: that is no stall of zone0's making.
	my $cmdline = join ' ', 'console=ttyAMA0', 'loglevel=4', 'panic=1', 'rcupdate.rcu_cpu_stall_timeout=60',
		'watchdog_thresh=60', 'hvsh.time=' . int(time), $opt{cmdline} // ();
	system('cp', "$dir/zone0.dtb", "$work/zone0.dtb") == 0
		&& system('fdtput', '-t', 's', "$work/zone0.dtb", '/chosen', 'bootargs', $cmdline) == 0
		or die "the device tree of zone0 could not be made\n";
	# What this boot writes to the disk is gone with it.
	system('cp', '--sparse=always', '--reflink=auto', "$dir/disk.img", "$work/disk.img") == 0
		or die "the disk of zone0 could not be copied\n";

	my @loads = (["$work/zone0.dtb", 0xa0000000], ["$dir/Image", 0xa0400000], ["$dir/initrd0.cpio", 0xb0000000]);
	my $entry = 0x40400000;
	if ($ENV{HVISOR}) {
		# It relies on firmware to have put all interrupts into group 1.
		push @loads, [$ENV{HVISOR}, 0x40400000], [$ENV{HVSH_GROUPSTUB}, $entry = 0x40300000];
	} else {
		push @loads, [$ENV{HVSH_HYPERVISOR}, 0x40400000];
		if ($opt{options}) {
			open my $f, '>', "$work/options" or die "$work/options: $!\n";
			print $f $opt{options};
			close $f or die "$work/options: $!\n";
			push @loads, ["$work/options", 0x40200000];
		}
	}
	my @display;
	if ($opt{display}) {
		my ($width, $height) = @{$opt{display}};
		unlink "$work/qmp";
		@display = ('-device', "virtio-gpu-device,id=display,bus=virtio-mmio-bus.0,xres=$width,yres=$height",
			'-qmp', "unix:$work/qmp,server=on,wait=off");
	}
	return ('qemu-system-aarch64', '-M', 'virt,gic-version=3,virtualization=on', qw(-cpu cortex-a72 -smp 4 -m 2G),
		qw(-nic none -no-reboot -global virtio-mmio.force-legacy=false), @{$opt{line}},
		'-drive', "file=$work/disk.img,if=none,format=raw,id=disk,cache=unsafe",
		'-device', 'virtio-blk-device,drive=disk,bus=virtio-mmio-bus.31', @display,
		(map { ('-device', sprintf('loader,file=%s,addr=0x%x,force-raw=on', @$_)) } @loads),
		'-device', sprintf('loader,addr=0x%x,cpu-num=0', $entry));
}

# For a person: QEMU's serial line is this terminal.
sub watch {
	my ($class) = @_;
	my $dir = $ENV{HVSH_SYSTEM} or die "HVSH_SYSTEM is not set: run scripts/system/run.sh\n";
	my $self = bless { dir => $dir, work => "$dir/run" }, $class;
	mkdir $self->{work};
	my @command = $self->qemu_command(line => ['-nographic']);
	print "zone0 comes up in some seconds. Then: hvsh check boot_zones.lua, hvsh boot_zones.lua &, hvsh list,\n",
		"hvsh console linux1/hvc0 (Ctrl-] leaves it). Ctrl-A X ends QEMU.\n";
	exec $command[0], @command[1 .. $#command] or die "cannot run $command[0]: $!\n";
}

sub start_qemu {
	my ($self, @command) = @_;
	pipe my $in, $self->{to} or die "pipe: $!\n";
	pipe $self->{from}, my $out or die "pipe: $!\n";
	# Should this process be killed, QEMU ends all the same: by timeout(1), which makes a process group of both.
	unshift @command, 'timeout', '-k', '5', int($self->{bound}) + 30;
	my $pid = fork // die "fork: $!\n";
	if (!$pid) {
		open STDIN, '<&', $in;
		open STDOUT, '>&', $out;
		open STDERR, '>&', $out;
		close $_ for $in, $out, @$self{qw(to from)};
		exec @command or print "cannot run $command[0]: $!\n";
		POSIX::_exit(127);
	}
	close $_ for $in, $out;
	for my $handle (@$self{qw(to from)}) {
		binmode $handle;
		fcntl $handle, F_SETFL, fcntl($handle, F_GETFL, 0) | O_NONBLOCK;
	}
	$self->{pid} = $pid;
	$running{$pid} = 1;
}

# ---- the line

# Moves bytes both ways for at most that many seconds; returns as soon as some came. Undef when QEMU has gone.
sub pump {
	my ($self, $seconds) = @_;
	my $read = IO::Select->new($self->{from});
	my $write = length $self->{outgoing} ? IO::Select->new($self->{to}) : undef;
	my ($readable, $writable) = IO::Select->select($read, $write, undef, $seconds);
	if ($writable && @$writable) {
		my $n = syswrite $self->{to}, $self->{outgoing}, 512;
		substr $self->{outgoing}, 0, $n, '' if $n;
		$self->fail_now('QEMU does not listen any more') if !defined $n && !$!{EAGAIN} && !$!{EINTR};
	}
	if ($readable && @$readable) {
		my $n = sysread $self->{from}, my $bytes, 65536;
		return undef if defined $n && $n == 0;
		if ($n) {
			$bytes =~ tr/\r//d;
			print { $self->{transcript} } $bytes;
			$self->{received} .= $bytes;
		}
	}
	return 1;
}

sub type {
	my ($self, $text) = @_;
	$self->{outgoing} .= $text;
}

# Waits until what came and was not looked at yet matches; takes it and everything before it away, returns that.
# Undef when it does not come in that time.
sub sees {
	my ($self, $pattern, $seconds, $what) = @_;
	my $end = time + $seconds * $slow;
	while (1) {
		return substr $self->{received}, 0, $+[0], '' if $self->{received} =~ $pattern;
		my $left = $end - time;
		return undef if $left <= 0;
		$self->fail_now("this test took longer than $self->{bound} s as a whole, waiting for $what")
			if time > $self->{end};
		$self->pump($left > 1 ? 1 : $left) or $self->fail_now("QEMU ended while waiting for $what");
	}
}

sub expect {
	my ($self, $pattern, $seconds, $what) = @_;
	return $self->sees($pattern, $seconds, $what) // $self->fail_now("waited ${\ ($seconds * $slow)} s for $what");
}

# A command in the shell at the other end. Returns its exit status and what it printed.
sub run {
	my ($self, $command, $seconds) = @_;
	my $n = ++$self->{count};
	my $mark = "$$.$n";
	# Twice: a message of hypervisor or kernel may fall into one of the lines. Cut in two: an echo is no answer.
	$self->type("echo '<''$mark'; { $command\n}; r=\$?; echo; echo '>''$mark' \$r.; echo '>''$mark' \$r.\n");
	my $text = $self->expect(qr/^>\Q$mark\E (\d+)\.\n/m, $seconds // 30, "the end of: $command");
	my ($status) = $text =~ /^>\Q$mark\E (\d+)\.\n\z/m;
	$text =~ s/\A.*^<\Q$mark\E\n//ms;
	$text =~ s/\n*^>\Q$mark\E \d+\.\n\z//m;
	$text =~ s/^>\d+\.\d+ \d+\.\n//mg;
	return ($status, $text);
}

sub must {
	my ($self, $command, $seconds) = @_;
	my ($status, $text) = $self->run($command, $seconds);
	$self->fail_now("exit status $status of: $command\n$text") if $status;
	return $text;
}

# Repeats a command until what it prints matches. For what the other side does in its own time. Of the attempts only
# what hypervisor and kernel said meanwhile stays in the transcript.
sub until_says {
	my ($self, $command, $pattern, $seconds, $what) = @_;
	my $end = time + $seconds * $slow;
	my $file = $self->{transcript};
	while (1) {
		my $start = tell $file;
		my ($status, $text) = $self->run($command, $seconds);
		return $text if $text =~ $pattern;
		$self->fail_now("waited ${\ ($seconds * $slow)} s for $what; the last answer to $command:\n$text") if time > $end;
		select undef, undef, undef, 0.5;
		seek $file, $start, 0;
		my @said = grep { /^\[/ } <$file>;
		seek $file, $start, 0;
		truncate $file, $start;
		print $file @said;
	}
}

# ---- the display

# What is on it, as QEMU has it: the bytes of a PPM file.
sub display {
	my ($self) = @_;
	my $file = "$self->{work}/display.ppm";
	unlink $file;
	$self->{qmp} //= do {
		my $qmp = IO::Socket::UNIX->new("$self->{work}/qmp") or $self->fail_now("QEMU's socket: $!");
		$self->{qmp_received} = '';
		$self->qmp_answer($qmp, 'QMP');
		$self->qmp_ask($qmp, 'qmp_capabilities');
		$qmp;
	};
	$self->qmp_ask($self->{qmp}, 'screendump', { filename => $file, device => 'display' });
	open my $f, '<:raw', $file or $self->fail_now("$file: $!");
	local $/;
	return <$f>;
}

sub qmp_ask {
	my ($self, $qmp, $command, $arguments) = @_;
	$qmp->syswrite(JSON::PP::encode_json({ execute => $command, $arguments ? (arguments => $arguments) : () }) . "\n");
	$self->qmp_answer($qmp, 'return');
}

# Reads on until an object with that key; what else happens is left out.
sub qmp_answer {
	my ($self, $qmp, $key) = @_;
	my $select = IO::Select->new($qmp);
	while (1) {
		while ($self->{qmp_received} =~ s/\A([^\n]*)\n//) {
			my $object = JSON::PP::decode_json($1);
			return if exists $object->{$key};
			$self->fail_now("QEMU's answer: $1") if $object->{error};
		}
		$select->can_read(60 * $slow) && $qmp->sysread($self->{qmp_received}, 65536, length $self->{qmp_received})
			or $self->fail_now('QEMU does not answer at its socket');
	}
}

# ---- the end

# What a kernel says when something is wrong with it, or with its module.
my $complaint = qr/WARNING:|BUG:|Oops|Call trace:|Unable to handle|possible (?:recursive|circular) locking|suspicious RCU|hung_task/;

sub finish {
	my ($self) = @_;
	my @complaints = grep { $_ =~ $complaint } split /\n/, $self->must('dmesg', 60);
	Test::More::is(join("\n", @complaints), '', "zone0's kernel has nothing to complain of");
	$self->stop;
	Test::More::done_testing();
}

# With what zone0 has to say to it, where it still answers.
sub fail_now {
	my ($self, $why) = @_;
	die "$why\n" if $self->{failing}++;
	Test::More::diag($why);
	# Out of a zone's console, and of a command that does not end.
	$self->type("\x1d\x03\n");
	for my $command (@{$self->{ask} // []}) {
		my ($status, $text) = eval { $self->run($command, 10) };
		last if !defined $status;
		Test::More::diag("\$ $command");
		Test::More::diag("  $_") for split /\n/, $text;
	}
	open my $transcript, '<', "$self->{dir}/transcript.txt";
	my @lines = <$transcript>;
	splice @lines, 0, @lines - 40 if @lines > 40;
	chomp @lines;
	Test::More::diag("the last lines of the serial line (all of it: $self->{dir}/transcript.txt):");
	Test::More::diag("| $_") for @lines;
	$self->stop;
	die "$why\n";
}

sub end_qemu {
	my ($pid) = @_;
	return unless delete $running{$pid};
	kill 'TERM', $pid;
	for (1 .. 50) {
		return if waitpid($pid, WNOHANG) == $pid;
		select undef, undef, undef, 0.1;
	}
	kill 'KILL', -$pid;
	waitpid $pid, 0;
}

sub stop {
	my ($self) = @_;
	end_qemu($self->{pid});
	close $self->{transcript};
}

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';

END {
	my $status = $?;
	end_qemu($_) for keys %running;
	$? = $status;
}

1;
