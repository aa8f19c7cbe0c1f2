# SPDX-License-Identifier: GPL-2.0-or-later
# A picture of a screen, and the text on it, read by the font that it was written with.
#
#   my $p = Picture->from_png($bytes);     # or from_ppm: 8 bits of red, green and blue, as hvsh and QEMU write them
#   $p->{width}, $p->{height}, $p->{rgb}
#   my @lines = $p->text(Picture::font($m->must('vt font /dev/tty1')));
package Picture;
use strict;
use warnings;
use Compress::Zlib ();

# What no glyph of the font looks like.
use constant UNREADABLE => "\x7f";

sub from_ppm {
	my ($class, $bytes) = @_;
	my ($width, $height) = $bytes =~ /\AP6\s+(\d+)\s+(\d+)\s+255\s/ or die "no PPM file of 8 bits\n";
	my $self = { width => $width, height => $height, rgb => substr $bytes, $+[0] };
	die "a PPM file of a wrong length\n" if length $self->{rgb} != $width * $height * 3;
	return bless $self, $class;
}

sub from_png {
	my ($class, $bytes) = @_;
	$bytes =~ s/\A\x89PNG\r\n\x1a\n// or die "no PNG file\n";
	my ($header, $packed) = ('', '');
	while (length $bytes >= 12) {
		my ($length, $type) = unpack 'N a4', $bytes;
		die "a PNG file that is cut off\n" if length $bytes < $length + 12;
		my $crc = unpack 'N', substr $bytes, $length + 8, 4;
		die "a PNG file with a wrong checksum\n" if $crc != Compress::Zlib::crc32(substr $bytes, 4, $length + 4);
		$header = substr $bytes, 8, $length if $type eq 'IHDR';
		$packed .= substr $bytes, 8, $length if $type eq 'IDAT';
		substr $bytes, 0, $length + 12, '';
		last if $type eq 'IEND';
	}
	my ($width, $height, @kind) = unpack 'N N C5', $header;
	die "no PNG file of 8 bits of red, green and blue\n" if "@kind" ne '8 2 0 0 0';
	my $filtered = Compress::Zlib::uncompress($packed) // die "a PNG file that cannot be unpacked\n";
	die "a PNG file of a wrong length\n" if length $filtered != ($width * 3 + 1) * $height;
	return bless { width => $width, height => $height, rgb => unfilter($filtered, $width * 3) }, $class;
}

# The filters 0 and 2 are what hvsh writes: a line as it is, or the difference to the one above.
sub unfilter {
	my ($from, $length) = @_;
	my ($rgb, @above) = ('', (0) x $length);
	for (my $at = 0; $at < length $from; $at += $length + 1) {
		my $filter = ord substr $from, $at, 1;
		die "a PNG file with filter $filter\n" if $filter != 0 && $filter != 2;
		my $line = substr $from, $at + 1, $length;
		# Nothing changes from one line to the next in most of a console.
		if ($filter == 0) {
			@above = unpack 'C*', $line;
		} elsif ($line =~ /[^\0]/) {
			my @bytes = unpack 'C*', $line;
			$above[$_] = ($above[$_] + $bytes[$_]) & 255 for 0 .. $length - 1;
		}
		$rgb .= pack 'C*', @above;
	}
	return $rgb;
}

# As the pixels lie in memory: blue, green, red and nothing.
sub bgrx {
	my ($self) = @_;
	return $self->{rgb} =~ s/(.)(.)(.)/$3$2$1\0/gsr;
}

# The pixels of a part, line by line.
sub part {
	my ($self, $x, $y, $width, $height) = @_;
	return map { substr $self->{rgb}, ($_ * $self->{width} + $x) * 3, $width * 3 } $y .. $y + $height - 1;
}

# From what vt font prints.
sub font {
	my ($size, @glyphs) = split /\n/, $_[0];
	my ($width, $height) = split ' ', $size;
	my %character;
	for my $i (reverse 0 .. $#glyphs) {
		my $bits = unpack 'B*', pack 'H*', $glyphs[$i];
		my $row = length($bits) / $height;
		$character{join '', map { substr $bits, $_ * $row, $width } 0 .. $height - 1} = chr($i + ord ' ');
	}
	return { width => $width, height => $height, character => \%character };
}

# The lines of text, without the blanks at their ends. What is not black belongs to a glyph.
sub text {
	my ($self, $font) = @_;
	my ($width, $height) = @$font{qw(width height)};
	my (@lines, %bits);
	for (my $y = 0; $y + $height <= $self->{height}; $y += $height) {
		my $line = '';
		for (my $x = 0; $x + $width <= $self->{width}; $x += $width) {
			my $glyph = '';
			for my $row ($y .. $y + $height - 1) {
				my $pixels = substr $self->{rgb}, ($row * $self->{width} + $x) * 3, $width * 3;
				$glyph .= $bits{$pixels} //= join '', map { $_ eq "\0\0\0" ? 0 : 1 } $pixels =~ /.../gs;
			}
			$line .= $font->{character}{$glyph} // UNREADABLE;
		}
		push @lines, $line =~ s/ +\z//r;
	}
	return @lines;
}

1;
