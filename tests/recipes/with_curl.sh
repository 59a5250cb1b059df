#!/bin/sh
# An upload by curl that meets an expiry, a cut and a lost reply, in a store of its own.
# Needs imagestore-emulator and curl on the path, and a running emulator at IMAGESTORE_ENDPOINT or the default port.
set -eu

IMAGESTORE_ENDPOINT=$(imagestore-emulator store make "curl-$$")
export IMAGESTORE_ENDPOINT # from here on curl and the verbs speak to that store
E=$IMAGESTORE_ENDPOINT
V=api-version=6.0
S=7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11
big=$(mktemp)
trap 'rm "$big"; imagestore-emulator store drop "curl-$$"' EXIT
head -c 200000 /dev/urandom > "$big"

chunk() { # chunk FIRST LAST
    tail -c "+$(($1 + 1))" "$big" | head -c "$(($2 - $1 + 1))" |
        curl -sS -w '%{http_code}\n' -X PUT --data-binary @- -H "Content-Range: bytes $1-$2/200000" \
            "$E/ImageStore/App/big/\$/UploadChunk?$V&session-id=$S"
}

commit() {
    curl -sS -o /dev/null -w '%{http_code}\n' -X POST -d '' "$E/ImageStore/\$/CommitUploadSession?$V&session-id=$S"
}

echo 'expiry:'
chunk 0 99999
imagestore-emulator clock advance 31m | grep expired
commit

echo 'cut:'
imagestore-emulator fault add operation=UploadFileChunk cut=50KiB times=1
chunk 0 99999 || chunk 0 99999
chunk 100000 199999

echo 'lost reply:'
imagestore-emulator fault add preset=lost-commit-reply
commit || commit
curl -sS "$E/_emulator/content/App/big" | cmp - "$big"

imagestore-emulator journal --verify operation=UploadFileChunk --count 4
imagestore-emulator journal --verify operation=CommitImageStoreUploadSession --count 3
