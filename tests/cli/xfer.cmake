# Transfers and archives: nephron-xfer.
nephron_cli_test(t0500-ingest-folder.sh)
nephron_cli_test(t0501-ingest-http.sh)
nephron_cli_test(t0502-ingest-gdrive.sh)
nephron_cli_test(t0503-unpack.sh)
nephron_cli_test(t0504-xfer-kill.sh)
nephron_cli_test(t0505-phantom.sh)
