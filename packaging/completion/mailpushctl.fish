# fish completion for mailpushctl(8): what bash is offered

function __mailpushctl_known
	set -l socket
	set -l words (commandline -opc)
	if set -l at (contains -i -- --socket $words)
		set socket --socket $words[(math $at + 1)]
	end
	mailpushctl $socket complete $argv[1] (commandline -ct) 2>/dev/null
end

# The words of the command so far, without options and what belongs to them.
function __mailpushctl_is
	set -l words
	set -l skip
	for word in (commandline -opc)[2..-1]
		if test -n "$skip"
			set skip
		else if contains -- $word --socket --passphrase-file --password-file --from-password-file --config --cyrus-conf --dovecot-conf --user --mailbox --limit --topic --columns --since --from --state
			set skip yes
		else if not string match -q -- '-*' $word
			set -a words $word
		end
	end
	test "$words" = "$argv"
end

complete -c mailpushctl -f
complete -c mailpushctl -l json -d 'as JSON'
complete -c mailpushctl -l socket -r -F -d 'the control socket'
complete -c mailpushctl -l help -d 'of one command, or all'
complete -c mailpushctl -l version
complete -c mailpushctl -n '__mailpushctl_is' -a 'status top doctor devices push queue trace events export import copy registry user prune alarm cert config schema log-level'
complete -c mailpushctl -n '__mailpushctl_is top' -l limit -x
complete -c mailpushctl -n '__mailpushctl_is doctor' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is doctor' -l problems
complete -c mailpushctl -n '__mailpushctl_is doctor' -l config -r -F
complete -c mailpushctl -n '__mailpushctl_is doctor' -l cyrus-conf -r -F
complete -c mailpushctl -n '__mailpushctl_is doctor' -l dovecot-conf -r -F
complete -c mailpushctl -n '__mailpushctl_is devices' -a 'list show remove'
complete -c mailpushctl -n '__mailpushctl_is devices' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is devices' -l forgotten
complete -c mailpushctl -n '__mailpushctl_is devices' -l limit -x
complete -c mailpushctl -n '__mailpushctl_is devices' -l full
complete -c mailpushctl -n '__mailpushctl_is devices list' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is devices list' -l forgotten
complete -c mailpushctl -n '__mailpushctl_is devices list' -l limit -x
complete -c mailpushctl -n '__mailpushctl_is devices list' -l full
complete -c mailpushctl -n '__mailpushctl_is devices show' -a '(__mailpushctl_known keys)'
complete -c mailpushctl -n '__mailpushctl_is devices show' -l full
complete -c mailpushctl -n '__mailpushctl_is devices remove' -a '(__mailpushctl_known keys)'
complete -c mailpushctl -n '__mailpushctl_is devices remove' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is devices remove' -l topic -x
complete -c mailpushctl -n '__mailpushctl_is devices remove' -l state -x -a 'active superseded suspended stopped'
complete -c mailpushctl -n '__mailpushctl_is devices remove' -l yes
complete -c mailpushctl -n '__mailpushctl_is export' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is import' -l from -x -a 'export xapsd sql'
complete -c mailpushctl -n '__mailpushctl_is import' -l topic -x
complete -c mailpushctl -n '__mailpushctl_is import' -l columns -x
complete -c mailpushctl -n '__mailpushctl_is import' -l password-file -r -F
complete -c mailpushctl -n '__mailpushctl_is import' -l confirmed
complete -c mailpushctl -n '__mailpushctl_is import' -l dry-run
complete -c mailpushctl -n '__mailpushctl_is copy' -l last
complete -c mailpushctl -n '__mailpushctl_is copy' -l dry-run
complete -c mailpushctl -n '__mailpushctl_is copy' -l config -r -F
complete -c mailpushctl -n '__mailpushctl_is copy' -l password-file -r -F
complete -c mailpushctl -n '__mailpushctl_is copy' -l from-password-file -r -F
complete -c mailpushctl -n '__mailpushctl_is registry' -a 'freeze thaw'
complete -c mailpushctl -n '__mailpushctl_is user' -a 'export remove'
complete -c mailpushctl -n '__mailpushctl_is user export' -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is user remove' -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is user remove' -l yes
complete -c mailpushctl -n '__mailpushctl_is push' -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is push' -l mailbox -x
complete -c mailpushctl -n '__mailpushctl_is queue' -a 'list flush drop'
complete -c mailpushctl -n '__mailpushctl_is queue' -l limit -x
complete -c mailpushctl -n '__mailpushctl_is queue' -l full
complete -c mailpushctl -n '__mailpushctl_is queue list' -l limit -x
complete -c mailpushctl -n '__mailpushctl_is queue list' -l full
complete -c mailpushctl -n '__mailpushctl_is queue flush' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is queue drop' -l user -x -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is queue drop' -l all
complete -c mailpushctl -n '__mailpushctl_is events' -l follow
complete -c mailpushctl -n '__mailpushctl_is trace' -a '(__mailpushctl_known users)'
complete -c mailpushctl -n '__mailpushctl_is trace' -l since -x
complete -c mailpushctl -n '__mailpushctl_is trace' -l mailbox -x
complete -c mailpushctl -n '__mailpushctl_is trace' -l follow
complete -c mailpushctl -n '__mailpushctl_is alarm' -a 'test'
complete -c mailpushctl -n '__mailpushctl_is cert' -a 'inspect check'
complete -c mailpushctl -n '__mailpushctl_is cert check' -l online
complete -c mailpushctl -n '__mailpushctl_is cert inspect' -F
complete -c mailpushctl -n '__mailpushctl_is cert inspect' -l passphrase-file -r -F
complete -c mailpushctl -n '__mailpushctl_is schema' -a 'sqlite postgresql mariadb'
complete -c mailpushctl -n '__mailpushctl_is schema' -l config -r -F
complete -c mailpushctl -n '__mailpushctl_is log-level' -a 'error warn info debug'
complete -c mailpushctl -n '__mailpushctl_is import' -F
