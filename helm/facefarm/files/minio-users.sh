# What the MinIO of the release does after each start, with the `mc` of its image: the workers get a user of their own, with the
# rights of worker-policy.json. It may be done any number of times; when it fails, the container is started again.
set -eu
tries=0
until mc alias set farm http://127.0.0.1:9000 "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" >/dev/null 2>&1; do
  tries=$((tries + 1))
  # The kubelet would wait for ever.
  [ "$tries" -lt 120 ] || exit 1
  sleep 1
done
mc admin policy create farm facefarm-worker /etc/facefarm/worker-policy.json
mc admin user add farm "$WORKER_ACCESS_KEY" "$WORKER_SECRET_KEY"
# Attaching what is attached is an error.
case "$(mc admin user info farm "$WORKER_ACCESS_KEY")" in
  *facefarm-worker*) ;;
  *) mc admin policy attach farm facefarm-worker --user "$WORKER_ACCESS_KEY" ;;
esac
